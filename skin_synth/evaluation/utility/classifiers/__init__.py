"""Classifiers that users would train, and the loop that trains them."""
