"""Adversarial losses and gradient penalties, as pure functions of logits and images.

In every loss `real` and `fake` are the discriminator's logits, float32[batch]; the i-th fake image
has the label of the i-th real image. The result is a scalar, float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class AdversarialLoss(NamedTuple):
    """The losses of the two networks: functions of (real, fake) logits to minimise."""

    discriminator: Loss
    generator: Loss


def non_saturating_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(-real) + softplus(fake) (Goodfellow et al. 2014, eq. 1)."""
    return tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))


def non_saturating_generator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(-fake) (Goodfellow et al. 2014, section 3); `real` is not used."""
    del real
    return tf.reduce_mean(tf.nn.softplus(-fake))


def hinge_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of relu(1 - real) + relu(1 + fake) (Miyato et al. 2018, eq. 16)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real) + tf.nn.relu(1.0 + fake))


def hinge_generator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of -fake (Miyato et al. 2018, eq. 17); `real` is not used."""
    del real
    return -tf.reduce_mean(fake)


def relativistic_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(fake - real): each fake against its real (R3GAN, NeurIPS 2024, eq. 2)."""
    return tf.reduce_mean(tf.nn.softplus(fake - real))


def relativistic_generator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(real - fake) (R3GAN, NeurIPS 2024, eq. 2)."""
    return tf.reduce_mean(tf.nn.softplus(real - fake))


BY_NAME: dict[str, AdversarialLoss] = {
    "non_saturating": AdversarialLoss(non_saturating_discriminator, non_saturating_generator),
    "hinge": AdversarialLoss(hinge_discriminator, hinge_generator),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator),
}


def gradient_penalty(logits_of: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared norm of the gradient of the logits at the images, float32[].

    On real images this is R1, on fake images R2, both without their weight gamma/2 (Mescheder et
    al. 2018, eq. 9 and 10). The norm is summed over pixels and channels. Images are float32[n,
    height, width, 3] before augmentation; row i of their logits, float32[n], depends only on row i
    of the images. The derivative of this value is of second order, so all operations of `logits_of`
    need second derivatives.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        total = tf.reduce_sum(logits_of(images))
    gradient = tape.gradient(total, images)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))
