"""Endless batches of generated images, each a pure function of (seed, step)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from skin_synth.random_streams import GenerationStream
from tfrecords_tools.errors import InputError

EQUAL, NATURAL = SHARE_NAMES = ("equal", "natural")
ClassShares = str | Mapping[str, float] | None
PREFETCHED_BATCHES = 2


class BatchGenerator(Protocol):
    """The part of `ImageGenerator` that batches need."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """Generates one image for each (label, seed)."""


def synthetic_dataset(
    generator: BatchGenerator,
    batch_size: int,
    *,
    seed: int = 0,
    class_shares: ClassShares = None,
    first_step: int = 0,
    truncation: float = 1.0,
) -> tf.data.Dataset:
    """Generates batches without end; batch t depends only on (seed, t) and the class shares.

    Batch t is `generator.generate(*synthetic_requests(generator, batch_size, t, ...))`. The
    generator runs in this process, so the data set cannot be saved. It prepares the next batches
    while one is used.

    Args:
        generator: a run, a pretrained generator, or an exported one.
        batch_size: images in a batch.
        seed: of all draws, from 0 to 2**63 - 1.
        class_shares: see `synthetic_requests`.
        first_step: t of the first batch.
        truncation: factor of the latents; below 1, images are more typical and less varied.

    Returns:
        Data set of (uint8[batch, side, side, 3], int32[batch]), the same types as `data.batches`.

    Raises:
        InputError: an unknown class, invalid shares, or a number out of range.
    """
    first = synthetic_requests(
        generator, batch_size, first_step, seed=seed, class_shares=class_shares
    )
    if not np.isfinite(truncation):
        raise InputError(f"truncation must be finite, got {truncation}")
    shape = (len(first[0]), generator.image_size, generator.image_size, 3)

    def generate_batch(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        labels, seeds = synthetic_requests(
            generator, batch_size, int(step), seed=seed, class_shares=class_shares
        )
        images = generator.generate(labels, seeds, truncation=truncation)
        return images, labels.astype(np.int32)

    def batch_at(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = tf.numpy_function(generate_batch, [step], [tf.uint8, tf.int32])
        return tf.ensure_shape(images, shape), tf.ensure_shape(labels, shape[:1])

    steps = tf.data.Dataset.counter(np.int64(first_step))
    return steps.map(batch_at).prefetch(PREFETCHED_BATCHES)


def synthetic_requests(
    generator: BatchGenerator,
    batch_size: int,
    step: int,
    *,
    seed: int = 0,
    class_shares: ClassShares = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and seeds of a batch of `synthetic_dataset`: int64[batch] each.

    Args:
        generator: gives the classes.
        batch_size: images in a batch.
        step: of the batch, from 0.
        seed: of all draws, from 0 to 2**63 - 1.
        class_shares: None or "equal": the same share for each class; "natural": the shares in the
            training images of a run; or shares by class name, which are divided by their sum.
            Other classes get no images.

    Raises:
        InputError: see `synthetic_dataset`.
    """
    for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("step", step, 0)):
        if not least <= value < 2**63:
            raise InputError(f"{name} must be from {least} to 2**63 - 1, got {value}")
    cumulative = np.cumsum(_shares(generator, class_shares))
    rng = np.random.default_rng([seed, GenerationStream.REQUESTS, step])
    labels = np.searchsorted(cumulative / cumulative[-1], rng.random(batch_size), side="right")
    return labels.astype(np.int64), rng.integers(0, 2**63 - 1, batch_size)


def _shares(generator: BatchGenerator, class_shares: ClassShares) -> np.ndarray:
    """Returns a number in proportion to the share of each class: float64[classes]."""
    names = generator.class_names
    if class_shares is None or class_shares == EQUAL:
        return np.ones(len(names))
    if class_shares == NATURAL:
        counts = getattr(generator, "class_counts", None)
        if counts is None:
            raise InputError(
                'class_shares "natural" needs the numbers of training images, which only a run '
                "has: give the share of each class"
            )
        class_shares = dict(zip(names, counts, strict=True))
    if not isinstance(class_shares, Mapping):
        raise InputError(
            f"class_shares must be {', '.join(map(repr, SHARE_NAMES))} or a share for each class, "
            f"got {class_shares!r}"
        )
    if unknown := [name for name in class_shares if name not in names]:
        raise InputError(
            f"class_shares name unknown classes {unknown}; known are {', '.join(names)}"
        )
    shares = np.array([class_shares.get(name, 0) for name in names], np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise InputError(
            f"class_shares must be finite numbers of at least 0, one of them above 0, got "
            f"{dict(class_shares)}"
        )
    return shares


class GeneratesBatches:
    """Gives a generator the method `dataset`: `synthetic_dataset` of itself."""

    dataset = synthetic_dataset
