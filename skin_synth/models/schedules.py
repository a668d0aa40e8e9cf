"""Schedules: pure functions of the number of images seen."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from skin_synth.presets import Preset, Ramp


class ScheduledValues(NamedTuple):
    """The values of the schedules in one step, float32[] each."""

    learning_rate: tf.Tensor
    generator_learning_rate: tf.Tensor
    gamma: tf.Tensor
    augment_probability: tf.Tensor
    ema_decay: tf.Tensor


def values(
    preset: Preset, images_seen: tf.Tensor, batch_size: int | tf.Tensor | None = None
) -> ScheduledValues:
    """Returns the scheduled values of a step after this many images, float32[].

    `batch_size` are the images of the step; None: those of the preset.
    """
    learning_rate = ramp(preset.learning_rate, images_seen, preset.schedule_images)
    return ScheduledValues(
        learning_rate,
        learning_rate * warm_up(images_seen, preset.generator_warm_up),
        ramp(preset.gamma, images_seen, preset.schedule_images),
        ramp(preset.augment_probability, images_seen, preset.schedule_images),
        ema_decay(
            images_seen,
            batch_size=preset.batch_size if batch_size is None else batch_size,
            half_life=preset.ema_half_life,
            warm_up=preset.ema_warm_up,
        ),
    )


def ramp(value: Ramp, images_seen: tf.Tensor, schedule_images: float) -> tf.Tensor:
    """Follows half a cosine from `start` to `end` at `schedule_images`, then stays constant.

    `images_seen` and the result are float32[].
    """
    progress = tf.clip_by_value(images_seen / schedule_images, 0.0, 1.0)
    weight = 0.5 - 0.5 * tf.cos(math.pi * progress)
    return value.start + (value.end - value.start) * weight


def warm_up(images_seen: tf.Tensor, images: int) -> tf.Tensor | float:
    """Returns 0 for the first half of the images, rises to 1 over the second half, and stays there.

    `images_seen` and the result are float32[].
    """
    return tf.clip_by_value(2.0 * images_seen / images - 1.0, 0.0, 1.0) if images else 1.0


def ema_decay(
    images_seen: tf.Tensor, *, batch_size: int | tf.Tensor, half_life: float, warm_up: float
) -> tf.Tensor:
    """Returns the share of its value that an averaged weight keeps in a step, float32[] in [0, 1).

    The half-life, in images, is at most the share `warm_up` of the images seen before this step,
    float32[], so that the average forgets the untrained start (Karras et al. 2020, StyleGAN2-ADA,
    `ema_rampup`).
    """
    current = tf.minimum(half_life, warm_up * images_seen)
    return tf.pow(0.5, tf.cast(batch_size, tf.float32) / tf.maximum(current, 1e-8))
