"""Keras callbacks of a training run: when to stop, what to keep, what to show."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skin_synth.image_grid import image_grid
from skin_synth.models.gan import ConditionalGAN
from skin_synth.training import health
from skin_synth.training.runs import RunDirectory
from skin_synth.training.stop_signals import StopWish
from tfrecords_tools.progress import Progress

PREVIEW_COLUMNS = 12
PROFILE_STEPS = range(10, 20)
"""Steps of a call that the profiler records: after tracing, few enough for a file to look at."""
LEAST_STEPS_TO_JUDGE = 25
"""Loss scaling starts too high and halves: it may skip so many steps at first. Shorter epochs are
judged together."""


class GANCallback(keras.callbacks.Callback):
    """A callback that counts images; the counter in the model would cost a device read."""

    model: ConditionalGAN

    def __init__(self) -> None:
        super().__init__()
        self.images_seen = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Reads where the run stands."""
        self.images_seen = self.model.images_seen

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Counts one batch."""
        self.images_seen += self.model.preset.batch_size


class Periodic(GANCallback):
    """Calls `act` at the end of the first epoch that passes each multiple of `every` images."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every
        self.last = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Starts counting from where the run stands."""
        super().on_train_begin(logs)
        self.last = self.images_seen

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Acts where a multiple has been passed since the last time."""
        if self.images_seen // self.every > self.last // self.every:
            self.last = self.images_seen
            self.act(logs or {})

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Acts on the final state, unless it just has."""
        if self.images_seen > self.last:
            self.last = self.images_seen
            self.act(logs or {})

    def act(self, logs: Mapping[str, Any]) -> None:
        """What is done; `logs` are the means of the last epoch."""
        raise NotImplementedError


class StopAsWished(GANCallback):
    """Ends `fit` where a signal asks for an end, and writes nothing."""

    def __init__(self, wish: StopWish) -> None:
        super().__init__()
        self.wish = wish

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks after each step."""
        super().on_train_batch_end(batch, logs)
        if self.wish:
            self.model.stop_training = True


class Checkpoints(Periodic):
    """Writes checkpoints; where a signal asks for an end, one at once, and ends `fit`.

    It stands last: what other callbacks have written for a step is there before its checkpoint.
    """

    def __init__(self, directory: RunDirectory, every: int, *, keep: int, wish: StopWish) -> None:
        """Writes nothing yet.

        Args:
            directory: of the run.
            every: images between two checkpoints.
            keep: checkpoints that stay.
            wish: whether to end.
        """
        super().__init__(every)
        self.directory = directory
        self.keep = keep
        self.wish = wish

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Counts one batch; writes before all that an end takes, for who asks may soon kill."""
        super().on_train_batch_end(batch, logs)
        if self.wish and not self.model.stop_training:
            self.model.stop_training = True
            self.last = self.images_seen
            self.act(logs or {})

    def act(self, logs: Mapping[str, Any]) -> None:
        """Writes one."""
        self.directory.save(self.model, self.keep)


class Health(GANCallback):
    """Ends `fit` when losses or weights are no longer finite; counts what loss scaling skips.

    It looks at the figures that Keras has fetched for its callbacks anyway: the mean of an epoch
    is not finite from the first step on that was not. Under loss scaling such a step is skipped
    and harms nothing; there, it is the end where all steps of an epoch are skipped, or of as many
    epochs as have `LEAST_STEPS_TO_JUDGE` steps. It stands before those that write weights.
    """

    def __init__(self, writer: Any, say: Callable[[str], None]) -> None:
        """Has seen nothing yet.

        Args:
            writer: TensorBoard's.
            say: takes a line for a person.
        """
        super().__init__()
        self.writer = writer
        self.say = say
        self.skipped: dict[str, int] = {}
        self.judged: dict[str, int] = {}
        self.steps = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Counts skipped steps from here on."""
        super().on_train_begin(logs)
        self.at_first = self.skipped = self.judged = health.skipped_steps(self.model)
        self.steps = 0
        self.finite = tf.function(lambda: health.finite_weights(self.model), autograph=False)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks at one step."""
        super().on_train_batch_end(batch, logs)
        self.steps += 1
        if not self.skipped:
            step = self.images_seen // self.model.preset.batch_size
            health.check_terms(self.model, logs or {}, step)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks at the weights, and at the steps that were skipped."""
        health.check_weights(self.model, self.finite())
        if not self.skipped:
            return
        self.skipped = now = health.skipped_steps(self.model)
        if self.steps >= LEAST_STEPS_TO_JUDGE:
            new = {network: count - self.judged[network] for network, count in now.items()}
            health.check_skips(self.model, new, self.steps)
            self.judged, self.steps = now, 0
        with self.writer.as_default(step=self.images_seen):
            for network, scale in health.loss_scales(self.model).items():
                tf.summary.scalar(f"skipped_steps/{network}", now[network])
                tf.summary.scalar(f"loss_scale/{network}", scale)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Tells what was skipped."""
        for network, count in self.skipped.items():
            new = count - self.at_first[network]
            self.say(f"loss scaling skipped {new:,} steps of the {network}, {count:,} in all")


class Previews(Periodic):
    """Paints classes in rows, the same latents in columns, to a PNG and to TensorBoard."""

    def __init__(self, directory: RunDirectory, every: int, writer: Any) -> None:
        super().__init__(every)
        self.directory = directory
        self.writer = writer

    def act(self, logs: Mapping[str, Any]) -> None:
        """Paints one grid."""
        grid = preview(self.model)
        path = self.directory.previews / f"images-{self.images_seen:012d}.png"
        image_grid(grid, self.model.class_names, path)
        with self.writer.as_default(step=self.images_seen):
            for name, row in zip(self.model.class_names, grid, strict=True):
                tf.summary.image(f"preview/{name}", row, max_outputs=PREVIEW_COLUMNS)


class Scalars(GANCallback):
    """Writes the means of each epoch, the scheduled figures and the speed to TensorBoard."""

    def __init__(self, writer: Any) -> None:
        super().__init__()
        self.writer = writer
        self.since = (0, 0.0)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Makes a graph of the schedules: an epoch may take a tenth of a second."""
        super().on_train_begin(logs)
        self.scheduled_values = tf.function(self.model.scheduled_values, autograph=False)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts the clock of the epoch."""
        self.since = (self.images_seen, time.monotonic())

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes one point of each curve."""
        images, start = self.since
        speed = (self.images_seen - images) / (time.monotonic() - start)
        figures = {**(logs or {}), **self.scheduled_values()._asdict(), "images_per_second": speed}
        with self.writer.as_default(step=self.images_seen):
            for name, value in figures.items():
                tf.summary.scalar(name, value)


class Profile(GANCallback):
    """Lets TensorBoard's profiler record a few steps, once those that trace are over."""

    def __init__(self, directory: RunDirectory) -> None:
        super().__init__()
        self.directory = directory
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Begins and ends the record."""
        super().on_train_batch_end(batch, logs)
        self.steps += 1
        if self.steps == PROFILE_STEPS.start:
            tf.profiler.experimental.start(str(self.directory.logs))
        elif self.steps == PROFILE_STEPS.stop:
            tf.profiler.experimental.stop()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Ends a record that training was too short for."""
        if self.steps in PROFILE_STEPS:
            tf.profiler.experimental.stop()


class StopAt(GANCallback):
    """Ends `fit` after so many images of the run or minutes of this call."""

    def __init__(self, *, images: int, minutes: float | None) -> None:
        super().__init__()
        self.images = images
        self.minutes = minutes
        self.start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Asks Keras to stop once a limit is reached."""
        super().on_train_batch_end(batch, logs)
        late = self.minutes is not None and time.monotonic() - self.start >= 60 * self.minutes
        if late or self.images_seen >= self.images:
            self.model.stop_training = True


class ProgressBar(GANCallback):
    """Shows images seen, images/s and time left.

    Keras tells a callback nothing of an error: who trains closes the bar then.
    """

    def __init__(self, *, images: int) -> None:
        super().__init__()
        self.images = images
        self.opened = contextlib.ExitStack()

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Opens the bar at what is left to do."""
        super().on_train_begin(logs)
        left = max(self.images - self.images_seen, 0)
        self.bar = self.opened.enter_context(
            Progress(total=left, unit="images", description="train")
        )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Moves the bar by one batch."""
        super().on_train_batch_end(batch, logs)
        self.bar.update(self.model.preset.batch_size)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Closes the bar, unless it is closed."""
        self.opened.close()


def preview(gan: ConditionalGAN) -> np.ndarray:
    """Fixed latents under every class: uint8[classes, columns, size, size, 3]."""
    classes = len(gan.class_names)
    label_ids = np.repeat(np.arange(classes), PREVIEW_COLUMNS)
    seeds = np.tile(np.arange(PREVIEW_COLUMNS), classes)
    images = gan.generate(label_ids, seeds)
    return images.reshape(classes, PREVIEW_COLUMNS, *images.shape[1:])
