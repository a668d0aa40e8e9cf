"""What a training would cost, measured by a few real steps."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skin_synth import distribution
from skin_synth.data import DrawnImages
from skin_synth.gan import ConditionalGAN
from skin_synth.run_config import RunConfig
from skin_synth.runs import new_gan

STEPS = 10
"""In each of two windows, the first of which holds the tracing."""


def forecast(
    config: RunConfig,
    split: DrawnImages,
    images: int | None,
    strategy: tf.distribute.Strategy | None = None,
) -> list[str]:
    """What training would cost, from a few real steps: lines for a person.

    Args:
        config: of the run to be.
        split: its training images.
        images: where it is to stop; default the preset's schedule.
        strategy: how it spreads over devices.
    """
    with distribution.scope(strategy):
        gan = new_gan(config)
    preset = config.preset
    images = images or preset.schedule_images
    speed = measure_speed(gan, split, strategy)
    smallest = int(np.argmin(split.class_counts))
    return [
        f"preset          {preset.name}: {preset.image_size}x{preset.image_size}, "
        f"batch {preset.batch_size}, {config.policy}",
        f"parameters      generator {gan.generator.count_params():,}, "
        f"discriminator {gan.discriminator.count_params():,}",
        f"training images {len(split):,} in {len(split.class_names)} classes",
        f"smallest class  {split.class_names[smallest]}: {split.class_counts[smallest]:,} images",
        f"speed           {speed:.0f} images/s",
        f"time            {images / speed / 3600:.1f} h for {images:,} images",
        f"peak memory     {_peak_memory() / 2**30:.1f} GiB",
    ]


def measure_speed(
    gan: ConditionalGAN, split: DrawnImages, strategy: tf.distribute.Strategy | None = None
) -> float:
    """Images per second of a few training steps, the first one (tracing) left out."""
    clock = _Clock()
    distribution.fit(
        gan,
        distribution.source_of(gan, split),
        strategy,
        epochs=2,
        steps_per_epoch=STEPS,
        callbacks=[clock],
    )
    return STEPS * gan.preset.batch_size / (clock.times[-1] - clock.times[-2])


class _Clock(keras.callbacks.Callback):
    """Notes when each epoch ends."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes one."""
        self.times.append(time.monotonic())


def _peak_memory() -> int:
    """Bytes of the GPU at most in use so far, or of this process where there is none."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
