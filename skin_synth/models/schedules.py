"""Schedules: pure functions of the number of images seen."""

from __future__ import annotations

import math

import tensorflow as tf

from skin_synth.presets import Ramp


def ramp(value: Ramp, images_seen: tf.Tensor, schedule_images: float) -> tf.Tensor:
    """Follows half a cosine from `value.start` to `value.end`, then stays constant.

    Args:
        value: the two ends.
        images_seen: float32[], images seen so far.
        schedule_images: images at which the end is reached.

    Returns:
        float32[].
    """
    progress = tf.clip_by_value(images_seen / schedule_images, 0.0, 1.0)
    weight = 0.5 - 0.5 * tf.cos(math.pi * progress)
    return value.start + (value.end - value.start) * weight


def ema_decay(
    images_seen: tf.Tensor, *, batch_size: int, half_life: float, warm_up: float
) -> tf.Tensor:
    """Returns the share of their old value that the averaged weights keep in one step.

    The half-life grows with the images seen, so that the average forgets the untrained start
    (Karras et al. 2020, StyleGAN2-ADA, `ema_rampup`).

    Args:
        images_seen: float32[], images seen before this step.
        batch_size: images in the step.
        half_life: half-life at the end of the warm-up, in images.
        warm_up: the half-life is at most this share of the images seen.

    Returns:
        float32[] in [0, 1).
    """
    current = tf.minimum(half_life, warm_up * images_seen)
    return tf.pow(0.5, batch_size / tf.maximum(current, 1e-8))
