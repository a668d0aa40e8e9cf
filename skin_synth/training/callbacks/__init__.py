"""Keras callbacks of a training run: they stop it, save checkpoints and show progress."""
