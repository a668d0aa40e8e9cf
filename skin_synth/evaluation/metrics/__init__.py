"""The measures, one a file: pure functions of images, features and labels."""
