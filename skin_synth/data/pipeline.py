"""Batches of uint8 images from a data set directory, each a pure function of (seed, step)."""

from __future__ import annotations

import abc
import dataclasses
import logging
import operator
import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, Self

import numpy as np
import tensorflow as tf

from skin_synth.augment import SYMMETRIES, turn
from skin_synth.random_streams import Stream, key
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import DatasetInfo, read_info, read_records
from tfrecords_tools.records.schema import ORIGIN_SYNTHETIC, parse_record
from tfrecords_tools.text import abbreviate

_LOG = logging.getLogger("skin_synth")
LARGEST_DENOMINATOR = 2**62
"""Largest denominator of the share of synthetic elements: twice as much still fits int64."""


class ImageArray(Protocol):
    """Images in memory or on disk, with the methods of an array that training needs."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width, 3)."""

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """Returns rows: int[k] to uint8[k, height, width, 3]."""


class DrawnImages(abc.ABC):
    """Images to draw batches from: `LabelledImages` in memory or `StreamedImages` on disk.

    Attributes:
        images: uint8[n, height, width, 3].
        labels: int64[n], indices into `class_names`.
        class_names: the classes of the data set, in the order of their labels.
        synthetic: bool[n], which images are synthetic; None if none is.
    """

    images: ImageArray
    labels: np.ndarray
    class_names: tuple[str, ...]
    synthetic: np.ndarray | None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def class_counts(self) -> np.ndarray:
        """int64[classes], images in each class."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    @property
    def num_synthetic(self) -> int:
        """Number of synthetic images."""
        return 0 if self.synthetic is None else int(self.synthetic.sum())

    def real(self) -> Self:
        """Returns the real images only, which generated ones may be compared with.

        Raises:
            InputError: there is none.
        """
        if self.synthetic is None or not self.num_synthetic:
            return self
        if self.synthetic.all():
            raise InputError(
                f"all {len(self):,} images of a split are synthetic, and generated images are "
                "compared with real ones: give a data set with real images"
            )
        return self.subset(~self.synthetic)

    @abc.abstractmethod
    def subset(self, rows: np.ndarray) -> Self:
        """Returns the images of rows, int[k] or bool[n]."""

    @abc.abstractmethod
    def gatherer(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns a graph function that reads rows: int64[k] to uint8[k, height, width, 3]."""


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages(DrawnImages):
    """One split, decoded, in memory.

    Attributes:
        image_ids: n names, as in the data set.
        groups: n lesions or patients.
        left_out: number of synthetic images of the split that are not among these.
    """

    images: np.ndarray
    labels: np.ndarray
    image_ids: tuple[str, ...]
    groups: tuple[str, ...]
    class_names: tuple[str, ...]
    synthetic: np.ndarray | None = None
    left_out: int = 0

    @property
    def group_counts(self) -> np.ndarray:
        """int64[classes], groups that have images of each class."""
        pairs = set(zip(self.labels.tolist(), self.groups, strict=True))
        return np.bincount([label for label, _ in pairs], minlength=len(self.class_names))

    @property
    def without_group(self) -> int:
        """Number of images without a lesion or patient: their group is their id."""
        return sum(map(operator.eq, self.image_ids, self.groups))

    def gatherer(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns a graph function that reads rows: int64[k] to uint8[k, height, width, 3]."""
        images = tf.constant(self.images)
        return lambda rows: tf.gather(images, rows)

    def subset(self, rows: np.ndarray) -> LabelledImages:
        """Returns the images of rows, int[k] or bool[n]."""
        return dataclasses.replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            image_ids=tuple(np.array(self.image_ids, object)[rows]),
            groups=tuple(np.array(self.groups, object)[rows]),
            synthetic=None if self.synthetic is None else self.synthetic[rows],
        )


def load_split(data_dir: str | os.PathLike[str], split: str) -> LabelledImages:
    """Reads and decodes a split (train, validation or test) of a data set directory.

    Raises:
        InputError: no such data set or split, images of several sizes, or a record that does not
            fit the metadata.
    """
    info = read_info(data_dir)
    side = check_square(info, split)
    count = info.splits[split].num_records
    images = np.empty((count, side, side, 3), np.uint8)
    labels = np.empty(count, np.int64)
    image_ids, groups = [], []
    synthetic = np.zeros(count, np.bool_)
    for row, serialized in enumerate(read_records(data_dir, split)):
        record = parse_record(serialized)
        try:
            images[row] = decode(record.image, images.shape[1:])
        except ImageMismatch as error:
            raise _damaged(info, split, row, str(error)) from error
        labels[row] = record.label
        synthetic[row] = record.origin == ORIGIN_SYNTHETIC
        image_ids.append(record.image_id)
        groups.append(record.group)
    check_labels(labels, info, split)
    names = tuple(image_ids), tuple(groups), info.class_names
    return LabelledImages(images, labels, *names, synthetic if synthetic.any() else None)


def load_real_split(data_dir: str | os.PathLike[str], split: str) -> LabelledImages:
    """Reads the real images of a split; logs how many synthetic ones are left out.

    Raises:
        InputError: as `load_split`, or all images are synthetic.
    """
    images = load_split(data_dir, split)
    if not images.num_synthetic:
        return images
    _LOG.info(
        f"{data_dir}: {images.num_synthetic:,} of {len(images):,} {split} images are synthetic: "
        "they are left out, generated images are compared with real ones only"
    )
    return dataclasses.replace(images.real(), left_out=images.num_synthetic)


class ImageMismatch(ValueError):
    """An image that differs from the metadata; the message says how."""


def decode(encoded: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Decodes a PNG or JPEG file to uint8[height, width, 3], or raises ImageMismatch."""
    try:
        decoded = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError as error:
        raise ImageMismatch("its image cannot be decoded") from error
    if decoded.shape != shape:
        raise ImageMismatch(f"its image is of shape {tuple(decoded.shape)}, not {shape}")
    return decoded.numpy()


def check_labels(labels: np.ndarray, info: DatasetInfo, split: str) -> None:
    """Raises InputError for a label without a class; labels are int64[n], as the records."""
    classes = len(info.class_names)
    for row in np.flatnonzero((labels < 0) | (labels >= classes)).tolist():
        raise _damaged(info, split, row, f"its label is {labels[row]}, of {classes} classes")


def _damaged(info: DatasetInfo, split: str, row: int, damage: str) -> InputError:
    files = info.splits[split]
    ends = np.cumsum(files.shard_lengths)
    shard = int(np.searchsorted(ends, row, side="right"))
    number = row - int(ends[shard]) + files.shard_lengths[shard]
    return InputError(
        f"shard {files.shards[shard]}: record {number}: {damage}: build the data set again"
    )


def check_square(info: DatasetInfo, split: str) -> int:
    """Returns height and width of a split's images, in pixels.

    Raises:
        InputError: no such split, or images that are not square or of several sizes.
    """
    if split not in info.splits:
        known = ", ".join(info.splits)
        raise InputError(f"{info.directory} has no split {split!r}; it has {known}")
    height, width, _ = info.image_shape
    if height is None or height != width:
        raise InputError(
            f"{info.directory} holds images of shape {info.image_shape}; training needs square "
            "images of one size: build the data set with --size 64 (or 32, 128, 256)"
        )
    return height


def class_probabilities(class_counts: np.ndarray, exponent: float) -> np.ndarray:
    """Returns the share of each class in the batches, float64[classes]: counts ** exponent / sum.

    The counts are int[classes], images in each class. Exponent 1 keeps the natural shares, 0 gives
    every class the same.

    Raises:
        InputError: a class has no image.
    """
    if empty := [str(label) for label in np.flatnonzero(class_counts == 0)]:
        raise InputError(
            f"classes number {abbreviate(empty)} have no training image; drop them from the source "
            "and build the data set again, or change its splits"
        )
    weights = class_counts.astype(np.float64) ** exponent
    return weights / weights.sum()


def batches(
    split: DrawnImages,
    *,
    batch_size: int,
    seed: int,
    exponent: float,
    first_step: int = 0,
    replicas: range = range(1),
    of_replicas: int = 1,
) -> tf.data.Dataset:
    """Draws batches without end; batch t depends only on (seed, t), so resuming needs only t.

    Each row draws a class by `class_probabilities`, then one of its images, then one of the eight
    flips and quarter turns, which keep the label of a dermoscopic image.

    Args:
        split: the training images.
        batch_size: rows in a batch.
        seed: of all draws.
        exponent: between uniform (0) and natural (1) class shares.
        first_step: t of the first batch.
        replicas: numbers of the replicas that this process feeds, if several share a batch.
        of_replicas: R, the number that share it; replica r has rows r, r + R, r + 2 R, ... of the
            batch.

    Returns:
        Data set of (uint8[batch, height, width, 3], int32[batch]). If replicas share a batch, it
        gives the rows of each replica in turn, batch/R at a time.

    Raises:
        InputError: a class has no image.
    """
    counts = split.class_counts
    cumulative = np.cumsum(class_probabilities(counts, exponent)).astype(np.float32)
    by_class = tf.constant(np.argsort(split.labels, kind="stable"))
    first_of_class = tf.constant(np.cumsum(counts) - counts)
    size_of_class = tf.constant(counts)
    images_at = split.gatherer()
    rows = np.arange(batch_size).reshape(-1, of_replicas).T[list(replicas)].ravel()

    def own_rows(drawn: tf.Tensor) -> tf.Tensor:
        return drawn if of_replicas == 1 else tf.gather(drawn, rows)

    def batch_at(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def uniform(stream: Stream) -> tf.Tensor:
            return tf.random.stateless_uniform([batch_size], key(seed, step, stream))

        labels = own_rows(tf.searchsorted(cumulative[:-1], uniform(Stream.CLASS), side="right"))
        size = tf.gather(size_of_class, labels)
        member = tf.cast(tf.cast(size, tf.float32) * own_rows(uniform(Stream.MEMBER)), tf.int64)
        position = tf.gather(first_of_class, labels) + tf.minimum(member, size - 1)
        images = images_at(tf.gather(by_class, position))
        symmetry = tf.cast(SYMMETRIES * own_rows(uniform(Stream.SYMMETRY)), tf.int32)
        return turn(images, symmetry), labels

    steps = tf.data.Dataset.counter(np.int64(first_step))
    drawn = steps.map(batch_at, num_parallel_calls=2, deterministic=True)
    if len(replicas) > 1:
        drawn = drawn.rebatch(batch_size // of_replicas, drop_remainder=True)
    return drawn.prefetch(4)


def mix(real: tf.data.Dataset, synthetic: tf.data.Dataset, ratio: float) -> tf.data.Dataset:
    """Mixes real and synthetic elements in a fixed ratio, evenly and without randomness.

    For every n, the first n elements contain n * ratio / (1 + ratio) synthetic ones, rounded down;
    ratio 0 gives only real ones. The result ends when the next element would come from a data set
    that has ended. So shuffle both before, and repeat a data set that should not end.

    Raises:
        InputError: an invalid ratio, or elements of different structures.
    """
    if not 0 <= ratio < float("inf"):
        raise InputError(f"ratio must be a number of at least 0, got {ratio}")
    if real.element_spec != synthetic.element_spec:
        raise InputError(
            f"real and synthetic elements must be alike, got {real.element_spec} and "
            f"{synthetic.element_spec}"
        )
    # The exact value of the decimal digits, because the binary 0.6 is slightly less than 0.6.
    exact = Fraction(str(ratio))
    share = (exact / (1 + exact)).limit_denominator(LARGEST_DENOMINATOR)

    def choice(rest: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rest += share.numerator
        return rest % share.denominator, rest // share.denominator

    choices = tf.data.Dataset.counter(np.int64(0)).scan(np.int64(0), choice)
    return tf.data.Dataset.choose_from_datasets([real, synthetic], choices)
