"""Callbacks that show progress: TensorBoard, preview grids, profile, progress bar."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from skin_synth.drawing import left_out_if_it_fails
from skin_synth.image_grid import image_grid
from skin_synth.models.gan import ConditionalGAN
from skin_synth.training.callbacks.base import GANCallback, Logs, Periodic
from skin_synth.training.run_directory import RunDirectory
from tfrecords_tools.progress import Progress

PREVIEW_COLUMNS, PREVIEW_IMAGES = 12, 480
"""Images of each class, and about as many of all: with many classes each has fewer."""
SHOWN_LOSSES = {"loss G": "generator_loss", "loss D": "discriminator_loss"}
PROFILED_STEPS = range(10, 20)
"""Steps of a call that the profiler records: after tracing, and few, so that its file is small."""


class Previews(Periodic):
    """Writes a grid to a PNG and to TensorBoard: classes in rows, the same latents in columns."""

    def __init__(self, directory: RunDirectory, every: int, writer: Any) -> None:
        super().__init__(every)
        self.directory = directory
        self.writer = writer

    def act(self) -> None:
        """Writes one grid."""
        grid = preview(self.model)
        path = self.directory.previews / f"images-{self.images_seen:012d}.png"
        with left_out_if_it_fails(path.name):
            image_grid(grid, self.model.class_names, path)
        with self.writer.as_default(step=self.images_seen):
            for name, row in zip(self.model.class_names, grid, strict=True):
                tf.summary.image(f"preview/{name}", row, max_outputs=PREVIEW_COLUMNS)


def preview(gan: ConditionalGAN) -> np.ndarray:
    """Generates fixed latents for every class: uint8[classes, columns, size, size, 3]."""
    classes = len(gan.class_names)
    columns = max(2, min(PREVIEW_COLUMNS, PREVIEW_IMAGES // classes))
    label_ids = np.repeat(np.arange(classes), columns)
    images = gan.generate(label_ids, np.tile(np.arange(columns), classes))
    return images.reshape(classes, columns, *images.shape[1:])


class Scalars(GANCallback):
    """Writes the means of each epoch, the scheduled figures and the speed to TensorBoard."""

    def __init__(self, writer: Any) -> None:
        super().__init__()
        self.writer = writer
        self.since = (0, 0.0)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Makes a graph of the schedules, because an epoch may take only a tenth of a second."""
        super().on_train_begin(logs)
        self.scheduled_values = tf.function(self.model.scheduled_values, autograph=False)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Starts the clock of the epoch."""
        self.since = (self.images_seen, time.monotonic())

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes one point of each curve."""
        images, start = self.since
        speed = (self.images_seen - images) / (time.monotonic() - start)
        figures = {**(logs or {}), **self.scheduled_values()._asdict(), "images_per_second": speed}
        with self.writer.as_default(step=self.images_seen):
            for name, value in figures.items():
                tf.summary.scalar(name, value)


class Profile(GANCallback):
    """Lets TensorBoard's profiler record a few steps, once tracing is over."""

    def __init__(self, directory: RunDirectory) -> None:
        super().__init__()
        self.directory = directory
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Starts and ends the recording."""
        super().on_train_batch_end(batch, logs)
        self.steps += 1
        if self.steps == PROFILED_STEPS.start:
            tf.profiler.experimental.start(str(self.directory.logs))
        elif self.steps == PROFILED_STEPS.stop:
            tf.profiler.experimental.stop()

    def on_train_end(self, logs: Logs = None) -> None:
        """Ends a recording if training was too short for it."""
        if self.steps in PROFILED_STEPS:
            tf.profiler.experimental.stop()


class ProgressBar(GANCallback):
    """Shows images seen, images/s, time left, the losses and the last KID of validation.

    Keras does not report exceptions to callbacks, so the caller must close the bar.
    """

    def __init__(
        self, *, images: int, minutes: float | None, last_kid: Callable[[], float | None]
    ) -> None:
        """Sets the last image, the limit of time, and what returns the KID of the validation."""
        super().__init__()
        self.images = images
        self.minutes = minutes
        self.last_kid = last_kid
        self.opened = contextlib.ExitStack()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Opens the bar at the images seen so far; it counts whole batches."""
        super().on_train_begin(logs)
        batch = self.model.preset.batch_size
        seen = self.images_seen
        left = -(-max(self.images - seen, 0) // batch) * batch
        self.bar = self.opened.enter_context(
            Progress(
                total=seen + left,
                unit="images",
                description="train",
                most_seconds=None if self.minutes is None else 60 * self.minutes,
            )
        )
        if seen:
            self.bar.update(seen, reused=True)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advances the bar by one batch."""
        super().on_train_batch_end(batch, logs)
        self.bar.update(self.model.preset.batch_size)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Takes the figures of the epoch."""
        means, kid = logs or {}, self.last_kid()
        figures = [
            f"{name} {float(means[key]):.2f}" for name, key in SHOWN_LOSSES.items() if key in means
        ]
        self.bar.note = ", ".join([*figures, *([] if kid is None else [f"KID {kid:.3f}"])])

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Closes the bar, unless it is closed."""
        self.opened.close()
