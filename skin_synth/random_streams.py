"""Whose random numbers are whose: a stream for each purpose, by seed and step alone."""

from __future__ import annotations

import enum

import tensorflow as tf


@enum.unique
class Stream(enum.IntEnum):
    """What the random numbers of a training step are for.

    All in one place, as data and networks share seed and step: under one number two of them would
    draw the same words, and the latent of an image would know its class.
    """

    CLASS = 0
    MEMBER = 1
    SYMMETRY = 2
    DISCRIMINATOR_LATENT = 3
    GENERATOR_LATENT = 4
    AUGMENT_REAL = 5
    AUGMENT_FAKE = 6


def key(seed: int, step: tf.Tensor, stream: Stream) -> tf.Tensor:
    """Seed of the stateless random functions for one stream of one step: int32[2].

    Args:
        seed: of the run, from 0 to 2**63 - 1.
        step: int64[], from 0.
        stream: what is drawn.
    """
    of_step = tf.stack([tf.constant(seed, tf.int64), step])
    return tf.random.experimental.stateless_fold_in(of_step, int(stream))
