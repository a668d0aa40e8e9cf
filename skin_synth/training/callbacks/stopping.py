"""Callbacks that end `fit`: at a limit, or on a signal."""

from __future__ import annotations

import time

import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.training.callbacks.base import GANCallback, Logs
from skin_synth.training.stop_signals import SharedStopSignal, StopSignal

STEPS_BETWEEN_AGREEMENTS = 10
"""Machines ask each other for a signal only after this many steps, because they wait each time."""


class StopAt(GANCallback):
    """Ends `fit` after this many images of the run or minutes of this call."""

    def __init__(self, *, images: int, minutes: float | None) -> None:
        super().__init__()
        self.images = images
        self.minutes = minutes
        self.start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Asks Keras to stop once a limit is reached."""
        super().on_train_batch_end(batch, logs)
        late = self.minutes is not None and time.monotonic() - self.start >= 60 * self.minutes
        if late or self.images_seen >= self.images:
            self.model.stop_training = True


class StopOnSignal(GANCallback):
    """Ends `fit` if a signal has come, and writes nothing."""

    def __init__(self, stop: StopSignal) -> None:
        super().__init__()
        self.stop = stop

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Looks for a signal after each step."""
        super().on_train_batch_end(batch, logs)
        if self.stop:
            self.model.stop_training = True


class AgreeToStop(keras.callbacks.Callback):
    """Asks all machines every few steps whether a signal has come to one of them.

    This callback comes before those that act on the signal, so that all machines stop after the
    same step.
    """

    def __init__(self, strategy: tf.distribute.Strategy, stop: SharedStopSignal) -> None:
        super().__init__()
        self.stop = stop
        self.steps = 0

        @tf.function
        def total(own: tf.Tensor) -> tf.Tensor:
            return strategy.reduce("SUM", strategy.run(lambda: own), axis=None)

        self.total = total

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Asks every few steps; counts them itself, because `batch` restarts with each epoch."""
        self.steps += 1
        if self.steps % STEPS_BETWEEN_AGREEMENTS:
            return
        if int(self.total(tf.constant(int(self.stop.received is not None), tf.int64))):
            self.stop.agree()
