"""Writes a data set directory: shards and TFDS metadata, whole or not at all."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import DatasetInfo, read_info
from tfrecords_tools.records.schema import (
    DATASET_INFO,
    FLOAT,
    INT,
    SPLITS,
    TEXT,
    Column,
    shard_name,
)
from tfrecords_tools.records.tfrecord import RecordWriter

PART = ".part"
"""What names of files end with that are still written, or stand for no longer than a build."""
SHARD_BYTES = 128 * 2**20
"""A shard is closed once it holds so many bytes of records."""
FLUSH_BYTES = 32 * 2**20
"""After so many bytes the disk begins to take what was written, beside the work that goes on."""


@dataclasses.dataclass(frozen=True)
class ShardedSplit:
    """A split as it was written.

    Attributes:
        shard_lengths: records in each shard.
        num_bytes: bytes of all records.
    """

    shard_lengths: tuple[int, ...]
    num_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies: the file's name in its directory, and the offset in it."""

    file: str
    offset: int


class SplitWriter:
    """Writes the records of one split into numbered files; use as a context manager.

    The files get their names at the end, for the names tell how many shards there are.
    """

    def __init__(self, directory: Path, split: str) -> None:
        """Opens nothing yet.

        Args:
            directory: where the shards are to be.
            split: whose records come.
        """
        self.directory = directory
        self.split = split
        self._closed: list[RecordWriter] = []
        self._open: RecordWriter | None = None
        self._flusher = ThreadPoolExecutor(1)
        self._flushes: list[Future[None]] = []
        self._unflushed = 0

    def __enter__(self) -> SplitWriter:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        if self._open is not None:
            self._close(self._open)
        self._flusher.shutdown()
        if kind is None:
            for flush in self._flushes:
                flush.result()

    def write(self, *pieces: bytes) -> Place:
        """Appends a record, whole or in pieces; returns where it lies until `name_shards`."""
        shard = self._open
        if shard is None:
            path = self.directory / f"{self.split}.{len(self._closed)}.part"
            shard = self._open = RecordWriter(path)
        before = shard.num_bytes
        place = Place(shard.path.name, shard.write(*pieces))
        self._unflushed += shard.num_bytes - before
        if shard.num_bytes >= SHARD_BYTES:
            self._close(shard)
        elif self._unflushed >= FLUSH_BYTES:
            self._flush(shard)
        return place

    def name_shards(self, name: str) -> ShardedSplit:
        """Gives the shards their final names; to be called after the block."""
        for index, shard in enumerate(self._closed):
            target = shard_name(name, self.split, index, len(self._closed))
            shard.path.rename(self.directory / target)
        return ShardedSplit(
            tuple(shard.length for shard in self._closed),
            sum(shard.num_bytes for shard in self._closed),
        )

    def _close(self, shard: RecordWriter) -> None:
        self._flush(shard)
        shard.__exit__()
        self._closed.append(shard)
        self._open = None

    def _flush(self, shard: RecordWriter) -> None:
        self._flushes.append(self._flusher.submit(_flush_and_close, shard.duplicate_handle()))
        self._unflushed = 0


def write_dataset(
    directory: str | os.PathLike[str],
    *,
    name: str,
    class_names: Iterable[str],
    image_shape: tuple[int | None, int | None, int],
    image_format: str | None = "png",
    columns: Sequence[Column] = (),
    splits: Mapping[str, Iterable[bytes]],
    finish: Callable[[Path], None] | None = None,
    overwrite: bool = False,
) -> DatasetInfo:
    """Writes records as a data set directory that `tfds.builder_from_directory` reads.

    The same input gives the same bytes. The directory appears once it is complete.

    Args:
        directory: where.
        name: of the data set.
        class_names: in the order of the labels.
        image_shape: (height, width, 3), the first two None where sizes differ.
        image_format: png, jpeg, or None where both occur.
        columns: the extra features, which all records have.
        splits: serialized records (see `schema.serialize_record`) of each split; taken one by
            one, so that a generator may make them. A split without records is left out.
        finish: writes further files into the directory that it is given; called once all records
            and metadata are there, so that they may tell of the records.
        overwrite: whether to replace a data set directory that is there already.

    Raises:
        InputError: the directory is there already, or is none of a data set, a split has another
            name than `SPLITS`, or there is no record at all.
    """
    if unknown := set(splits) - set(SPLITS):
        raise InputError(f"unknown splits {sorted(unknown)}; there are {', '.join(SPLITS)}")
    with new_directory(directory, overwrite=overwrite, marker=DATASET_INFO) as temporary:
        written = {
            split: _write_split(temporary, name, split, splits[split])
            for split in SPLITS
            if split in splits
        }
        write_metadata(
            temporary,
            name=name,
            class_names=class_names,
            image_shape=image_shape,
            image_format=image_format,
            columns=columns,
            written=written,
        )
        if finish is not None:
            finish(temporary)
    return read_info(directory)


def write_metadata(
    directory: Path,
    *,
    name: str,
    class_names: Iterable[str],
    image_shape: tuple[int | None, int | None, int],
    image_format: str | None,
    columns: Sequence[Column] = (),
    written: Mapping[str, ShardedSplit],
) -> None:
    """Writes the metadata of TFDS beside shards that have their final names.

    Args:
        directory: where.
        name: as in `write_dataset`, like the next four.
        class_names: in the order of the labels.
        image_shape: of the images.
        image_format: of the images.
        columns: the extra features.
        written: the shards of each split; those without records are left out.

    Raises:
        InputError: there is no record at all.
    """
    # Late, because it takes seconds to load and reading needs none of it.
    import tensorflow_datasets as tfds

    written = {split: sharded for split, sharded in written.items() if sharded.shard_lengths}
    if not written:
        raise InputError(f"no record to write for data set {name!r}")
    template = tfds.core.ShardedFileTemplate(
        data_dir=directory, dataset_name=name, filetype_suffix="tfrecord"
    )
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=image_shape, encoding_format=image_format),
                "label": tfds.features.ClassLabel(names=list(class_names)),
                "image_id": tfds.features.Text(),
                "group": tfds.features.Text(),
                "origin": tfds.features.Text(),
                **{column.name: _feature(column) for column in columns},
            }
        ),
        split_infos=[
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=list(sharded.shard_lengths),
                num_bytes=sharded.num_bytes,
                filename_template=template.replace(split=split),
            )
            for split, sharded in written.items()
        ],
        filename_template=template,
        check_data=False,
    )


def _write_split(directory: Path, name: str, split: str, records: Iterable[bytes]) -> ShardedSplit:
    with SplitWriter(directory, split) as writer:
        for record in records:
            writer.write(record)
    return writer.name_shards(name)


def _feature(column: Column) -> Any:
    import tensorflow_datasets as tfds

    return {
        TEXT: tfds.features.Text(),
        INT: tfds.features.Scalar(np.int64),
        FLOAT: tfds.features.Scalar(np.float32),
    }[column.kind]


def _flush_and_close(handle: int) -> None:
    try:
        os.fdatasync(handle)
        # What lies on the disk need not stay in memory: the next records take its place there.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
