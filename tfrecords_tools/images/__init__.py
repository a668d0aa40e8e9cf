"""One image file: read, verified, made upright 8-bit RGB, hashed."""
