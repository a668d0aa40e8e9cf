"""Measures the cost of training, and the images that a time allows, by a few real steps."""

from __future__ import annotations

import dataclasses
import sys
import time

import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages
from skin_synth.keras_backend import keras
from skin_synth.models.gan import ConditionalGAN
from skin_synth.training import distribution, fit_loop
from skin_synth.training.callbacks.base import Logs
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_config import RunConfig
from skin_synth.training.runs import new_gan
from skin_synth.training.warm_start import waiting
from tfrecords_tools.progress import estimated_duration

WINDOW_STEPS = 10
"""The first window holds the tracing and is not counted."""
TRIAL_SECONDS = 2.0
"""Windows follow until this many seconds are counted, because ten steps on a GPU are too short."""
STEPS_TIME_SHARE = 0.85
"""Share of the time for training; the rest is for previews, validation and checkpoints."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """The measurements of a few real steps of a new run.

    Attributes:
        speed: images per second.
        generator_parameters: all weights of the generator, not only trainable ones.
    """

    speed: float
    generator_parameters: int
    discriminator_parameters: int


def try_steps(
    config: RunConfig, split: DrawnImages, strategy: tf.distribute.Strategy | None = None
) -> Trial:
    """Makes the networks of a new run, times a few steps, and discards all."""
    with distribution.scope(strategy):
        gan = new_gan(config)
    return Trial(
        measure_speed(gan, split, strategy),
        gan.generator.count_params(),
        gan.discriminator.count_params(),
    )


def fit_schedule(
    config: RunConfig, trial: Trial, minutes: float, options: TrainingOptions
) -> RunConfig:
    """Returns the configuration with schedules as long as this machine can train in `minutes`.

    The schedules are a whole number of batches, at least one, and at most `options.images`. The
    minutes include previews, validation and checkpoints.
    """
    within = int(trial.speed * 60 * minutes * STEPS_TIME_SHARE)
    batch = config.preset.batch_size
    length = max(batch, within // batch * batch)
    length = min(length, options.images or length)
    preset = dataclasses.replace(config.preset, schedule_images=length)
    return dataclasses.replace(config, preset=waiting(preset, options))


def forecast(
    config: RunConfig, split: DrawnImages, trial: Trial, images: int, *, seen: int = 0
) -> list[str]:
    """Returns lines that describe the cost of training from `seen` images on to `images`."""
    preset, left = config.preset, max(images - seen, 0)
    smallest = int(np.argmin(split.class_counts))
    return [
        f"preset          {preset.name}: {preset.image_size}x{preset.image_size}, "
        f"batch {preset.batch_size}, {config.policy}",
        f"parameters      generator {trial.generator_parameters:,}, "
        f"discriminator {trial.discriminator_parameters:,}",
        f"training images {len(split):,} in {len(split.class_names)} classes"
        + (f", {split.num_synthetic:,} of them synthetic" if split.num_synthetic else ""),
        f"smallest class  {split.class_names[smallest]}: {split.class_counts[smallest]:,} images",
        f"speed           {trial.speed:.0f} images/s",
        f"time            {estimated_duration(left / trial.speed)} for {left:,} images"
        + (f"; the run has seen {seen:,}" if seen else ""),
        f"peak memory     {_peak_memory() / 2**30:.1f} GiB",
    ]


def measure_speed(
    gan: ConditionalGAN, split: DrawnImages, strategy: tf.distribute.Strategy | None = None
) -> float:
    """Measures images per second over a few steps, without the first ones (tracing)."""
    clock = _Clock()
    fit_loop.fit(
        gan,
        fit_loop.batches_of_run(gan, split),
        strategy,
        epochs=int(1e6),
        steps_per_epoch=WINDOW_STEPS,
        callbacks=[clock],
    )
    return (len(clock.times) - 1) * WINDOW_STEPS * gan.preset.batch_size / clock.counted


class _Clock(keras.callbacks.Callback):
    """Notes the time at the end of each epoch, and stops once the trial is long enough."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    @property
    def counted(self) -> float:
        """Seconds since the end of the first epoch."""
        return self.times[-1] - self.times[0]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.times.append(time.monotonic())
        if len(self.times) > 1 and self.counted >= TRIAL_SECONDS:
            self.model.stop_training = True


def _peak_memory() -> int:
    """Returns the peak memory in bytes: of the GPU, or of this process if there is none."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    import resource  # not on Windows

    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
