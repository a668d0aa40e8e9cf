"""The measures, one in each file: pure functions of images, features and labels."""
