"""Training images that stay on disk: a row is read and decoded when it is drawn."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import (
    DrawnImages,
    ImageMismatch,
    LabelledImages,
    check_labels,
    check_square,
    decode,
    load_split,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.record_index import RecordIndex, index_records, load_index, save_index
from tfrecords_tools.records.schema import parse_record

CACHE_MEMORY_DIVISOR = 4
"""Share of the memory for decoded images: NumPy and TensorFlow each hold them once, and the
networks need the rest."""
MIB = 2**20
BATCHES_READ_AHEAD = 64
"""If decoding fails in the graph, the damaged record is in one of this many last batches."""
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Memory limits of a container, cgroup versions two and one."""
_LOG = logging.getLogger("skin_synth")


class ImagesOnDisk:
    """The images of a split, read from its shards as an array of shape (n, height, width, 3)."""

    def __init__(self, index: RecordIndex, side: int) -> None:
        self.index = index
        self.shape = (len(index), side, side, 3)
        self.failure: InputError | None = None
        self._latest: collections.deque[np.ndarray] = collections.deque(maxlen=BATCHES_READ_AHEAD)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Reads and decodes rows: int[k] to uint8[k, height, width, 3].

        Raises:
            InputError: a record is damaged or gone, or its image has another size.
        """
        with self.plain_errors():
            return self.gather(tf.constant(rows, tf.int64)).numpy()

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Reads rows in a graph: int64[k] to uint8[k, height, width, 3]."""
        records = tf.numpy_function(self._read, [rows], tf.string, stateful=False)
        records = tf.ensure_shape(records, rows.shape)
        encoded = tf.io.parse_example(records, {"image": tf.io.FixedLenFeature([], tf.string)})
        decoded = tf.TensorSpec(self.shape[1:], tf.uint8)
        return tf.map_fn(self._decode, encoded["image"], fn_output_signature=decoded)

    def _decode(self, encoded: tf.Tensor) -> tf.Tensor:
        decoded = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.ensure_shape(decoded, self.shape[1:])

    def _read(self, rows: np.ndarray) -> np.ndarray:
        self._latest.append(rows)
        try:
            return np.array([self.index.read(row) for row in rows], object)
        except InputError as error:
            self.failure = error  # TensorFlow keeps only its text
            raise

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Raises the InputError of the damaged record instead of TensorFlow's error."""
        try:
            yield
        except tf.errors.OpError as error:
            if self.failure is not None:
                raise self.failure from None
            if isinstance(error, tf.errors.InvalidArgumentError):
                self._check_latest()
            raise

    def _check_latest(self) -> None:
        """Raises for the first of the latest images that differs from the metadata."""
        for row in itertools.chain.from_iterable(rows.tolist() for rows in [*self._latest]):
            try:
                decode(parse_record(self.index.read(row)).image, self.shape[1:])
            except ImageMismatch as error:
                raise self.index.damaged(row, f"does not fit: {error}") from error


@dataclasses.dataclass(frozen=True, eq=False)
class StreamedImages(DrawnImages):
    """One split on disk; training draws from it as from `LabelledImages`.

    Attributes:
        index_is_kept: whether the index was read from its file, so that it need not be written.
    """

    images: ImagesOnDisk
    labels: np.ndarray
    class_names: tuple[str, ...]
    synthetic: np.ndarray | None = None
    index_is_kept: bool = False

    def subset(self, rows: np.ndarray) -> StreamedImages:
        """Returns the images of rows, int[k] or bool[n]."""
        index = self.images.index.subset(rows)
        images = ImagesOnDisk(index, self.images.shape[1])
        return StreamedImages(images, index.label, self.class_names, index.synthetic)

    def gatherer(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns a graph function that reads rows: int64[k] to uint8[k, height, width, 3]."""
        return self.images.gather


def open_split(
    data_dir: str | os.PathLike[str],
    split: str,
    *,
    cache_limit: int | None,
    index_file: Path,
    fingerprint: str,
) -> LabelledImages | StreamedImages:
    """Reads a split into memory, or streams it if it is too large; logs which.

    Both give the same batches, bit for bit. The decoded images may take `cache_limit` bytes, by
    default `default_cache_limit`. `index_file` may hold an index of the split.

    Raises:
        InputError: as `load_split`.
    """
    limit = default_cache_limit() if cache_limit is None else cache_limit
    info = read_info(data_dir)
    side = check_square(info, split)
    count = info.splits[split].num_records
    needed = 3 * side**2 * count
    size = f"{count:,} {split} images take {needed / MIB:,.0f} MiB decoded"
    if needed <= limit:
        _LOG.info(f"{size}: kept in memory")
        return load_split(data_dir, split)
    _LOG.info(f"{size}, more than --cache_limit {limit / MIB:,.0f}: streamed from the shards")
    kept = load_index(index_file, data_dir, split, fingerprint)
    index = index_records(data_dir, split) if kept is None else kept
    check_labels(index.label, info, split)
    return StreamedImages(
        ImagesOnDisk(index, side),
        index.label,
        info.class_names,
        index.synthetic,
        index_is_kept=kept is not None,
    )


def keep_index(split: DrawnImages, index_file: Path, fingerprint: str) -> None:
    """Writes the index of a streamed split for the next start, unless it was read from there.

    It replaces an index that is damaged or of another data set. Images in memory have no index.
    """
    if isinstance(split, StreamedImages) and not split.index_is_kept:
        save_index(split.images.index, index_file, fingerprint)


def reading_errors(split: DrawnImages) -> contextlib.AbstractContextManager[None]:
    """Raises the InputError of a streamed split's record instead of TensorFlow's error."""
    if isinstance(split, StreamedImages):
        return split.images.plain_errors()
    return contextlib.nullcontext()


def default_cache_limit() -> int:
    """Returns a quarter of the memory of the machine, or of its container if less, in bytes."""
    return machine_memory() // CACHE_MEMORY_DIVISOR


def machine_memory() -> int:
    """Returns the memory of the machine, or of its container if less, in bytes."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text().strip() for path in CGROUP_LIMITS if path.exists()]
    return min([machine, *(int(limit) for limit in limits if limit.isdigit())])
