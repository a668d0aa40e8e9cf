"""Base classes of the callbacks of a run: they count images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skin_synth.keras_backend import keras
from skin_synth.models.gan import ConditionalGAN

Logs = Mapping[str, Any] | None
"""The argument that Keras gives to callbacks: means of the metrics, by name."""


class GANCallback(keras.callbacks.Callback):
    """Counts images, because reading the counter of the model from the device takes time.

    Attributes:
        images_seen: real images that the run has drawn.
    """

    model: ConditionalGAN

    def __init__(self) -> None:
        super().__init__()
        self.images_seen = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts counting from the images that the run has seen."""
        self.images_seen = self.model.images_seen

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Counts one batch."""
        self.images_seen += self.model.preset.batch_size


class Periodic(GANCallback):
    """Calls `act` at the end of the first epoch that passes each multiple of `every` images."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every
        self.last = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts counting from the images that the run has seen."""
        super().on_train_begin(logs)
        self.last = self.images_seen

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Acts if a multiple was passed since the last time."""
        if self.images_seen // self.every > self.last // self.every:
            self.last = self.images_seen
            self.act()

    def on_train_end(self, logs: Logs = None) -> None:
        """Acts on the final state, unless it did so just before."""
        if self.images_seen > self.last:
            self.last = self.images_seen
            self.act()

    def act(self) -> None:
        """Does the work of the callback."""
        raise NotImplementedError
