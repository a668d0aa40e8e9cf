"""Streams of random numbers: each purpose has one, which depends only on seed and step."""

from __future__ import annotations

import enum

import tensorflow as tf


@enum.unique
class Stream(enum.IntEnum):
    """Purposes of random numbers in a training step of the GAN.

    Data and networks share seed and step. So two purposes with one number would get the same random
    bits, and the latent of an image would depend on its class.
    """

    CLASS = 0
    MEMBER = 1
    SYMMETRY = 2
    DISCRIMINATOR_LATENT = 3
    GENERATOR_LATENT = 4
    AUGMENT_REAL = 5
    AUGMENT_FAKE = 6
    TEST_LATENT = 7


@enum.unique
class ClassifierStream(enum.IntEnum):
    """Purposes of random numbers in a training step of a classifier of the utility study."""

    MEMBER = 1
    AUGMENTATION = 5
    MIXUP = 6


@enum.unique
class EvaluationStream(enum.IntEnum):
    """Purposes of NumPy generators in evaluation: `default_rng([seed, purpose, ...])`."""

    GENERATION = 0
    REAL_BASELINE = 1
    LEFT_OUT = 10
    TURNED = 11
    VARIETY = 12
    DIFFERENCE = 13
    PROFILES = 14
    FOLDER_PARTS = 15
    READER_CHOICE = 20
    READER_GENERATION = 21
    READER_ORDER = 22
    SMALL_SITE_DRAW = 30
    PRIVACY_GENERATION = 40
    PRIVACY_CHOICE = 41
    PRIVACY_REFERENCE = 42
    PRIVACY_RESAMPLING = 43
    UTILITY_GENERATION = 0x7574_696C


@enum.unique
class GenerationStream(enum.IntEnum):
    """Purposes of NumPy generators of synthetic batches: `default_rng([seed, purpose, step])`."""

    REQUESTS = 0x7061_696E


def key(seed: int, step: tf.Tensor, stream: Stream) -> tf.Tensor:
    """Returns the seed of stateless random functions for one stream of one step: int32[2].

    `seed` is that of the run, from 0 to 2**63 - 1; `step` is int64[], from 0.
    """
    seed_and_step = tf.stack([tf.constant(seed, tf.int64), step])
    return tf.random.experimental.stateless_fold_in(seed_and_step, int(stream))
