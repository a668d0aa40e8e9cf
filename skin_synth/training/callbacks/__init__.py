"""Keras callbacks of a training run: when to stop, what to keep, what to show."""
