"""Classifiers as users train them, and the training loop."""
