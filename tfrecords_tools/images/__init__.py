"""Reads an image file, verifies it, makes it upright 8-bit RGB and hashes it."""
