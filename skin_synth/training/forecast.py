"""What a training would cost, and how much of it a time allows, measured by a few real steps."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages
from skin_synth.models.gan import ConditionalGAN
from skin_synth.training import distribution
from skin_synth.training.run_config import RunConfig
from skin_synth.training.runs import new_gan

STEPS = 10
"""In a window; the first holds the tracing and is not counted."""
WINDOW_SECONDS = 2.0
"""Windows follow until so much time is counted: ten steps of a GPU are over too soon to tell."""
SHARE_OF_STEPS = 0.85
"""Of a training's time; what is left is for previews, validation and checkpoints."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a few real steps of a run to be have shown.

    Attributes:
        speed: images per second.
        generator_parameters: numbers that the generator learns or keeps.
        discriminator_parameters: likewise.
    """

    speed: float
    generator_parameters: int
    discriminator_parameters: int


def try_steps(
    config: RunConfig, split: DrawnImages, strategy: tf.distribute.Strategy | None = None
) -> Trial:
    """Makes the networks of a run, times a few steps, and throws all away.

    Args:
        config: of the run to be.
        split: its training images.
        strategy: how it spreads over devices.
    """
    with distribution.scope(strategy):
        gan = new_gan(config)
    return Trial(
        measure_speed(gan, split, strategy),
        gan.generator.count_params(),
        gan.discriminator.count_params(),
    )


def fit_schedule(
    config: RunConfig, trial: Trial, minutes: float, images: int | None = None
) -> RunConfig:
    """The configuration with schedules as long as this machine trains in so many minutes.

    Args:
        config: of the run to be.
        trial: its first steps.
        minutes: of training, with what is done between the steps.
        images: where it is to stop at the latest.

    Returns:
        That of a run of a whole number of batches, at least one.
    """
    within = int(trial.speed * 60 * minutes * SHARE_OF_STEPS)
    batch = config.preset.batch_size
    length = max(batch, within // batch * batch)
    preset = dataclasses.replace(config.preset, schedule_images=min(length, images or length))
    return dataclasses.replace(config, preset=preset)


def forecast(config: RunConfig, split: DrawnImages, trial: Trial, images: int) -> list[str]:
    """What training would cost: lines for a person.

    Args:
        config: of the run to be.
        split: its training images.
        trial: its first steps.
        images: where it is to stop.
    """
    preset = config.preset
    smallest = int(np.argmin(split.class_counts))
    return [
        f"preset          {preset.name}: {preset.image_size}x{preset.image_size}, "
        f"batch {preset.batch_size}, {config.policy}",
        f"parameters      generator {trial.generator_parameters:,}, "
        f"discriminator {trial.discriminator_parameters:,}",
        f"training images {len(split):,} in {len(split.class_names)} classes",
        f"smallest class  {split.class_names[smallest]}: {split.class_counts[smallest]:,} images",
        f"speed           {trial.speed:.0f} images/s",
        f"time            {images / trial.speed / 3600:.1f} h for {images:,} images",
        f"peak memory     {_peak_memory() / 2**30:.1f} GiB",
    ]


def measure_speed(
    gan: ConditionalGAN, split: DrawnImages, strategy: tf.distribute.Strategy | None = None
) -> float:
    """Images per second of a few training steps, the first ones (tracing) left out."""
    clock = _Clock()
    distribution.fit(
        gan,
        distribution.source_of(gan, split),
        strategy,
        epochs=int(1e6),
        steps_per_epoch=STEPS,
        callbacks=[clock],
    )
    return (len(clock.times) - 1) * STEPS * gan.preset.batch_size / clock.counted


class _Clock(keras.callbacks.Callback):
    """Notes when each epoch ends, and stops when enough is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    @property
    def counted(self) -> float:
        """Seconds since the end of the first epoch."""
        return self.times[-1] - self.times[0]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes one."""
        self.times.append(time.monotonic())
        if len(self.times) > 1 and self.counted >= WINDOW_SECONDS:
            self.model.stop_training = True


def _peak_memory() -> int:
    """Bytes of the GPU at most in use so far, or of this process where there is none."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
