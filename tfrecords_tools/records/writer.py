"""Writes a data set directory: shards and TFDS metadata, whole or not at all."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
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

PART_SUFFIX = ".part"
"""Suffix of files that are not complete, or that a build removes at its end."""
SHARD_BYTES = 128 * 2**20
"""A shard is closed once it holds this many bytes of records."""
FLUSH_BYTES = 32 * 2**20
"""After this many bytes a thread begins to flush them to the disk, while the work goes on."""


@dataclasses.dataclass(frozen=True)
class DatasetDescription:
    """The metadata of a data set, without its shards.

    Attributes:
        class_names: in the order of the labels.
        image_shape: (height, width, 3), the first two None if sizes differ.
        image_format: png, jpeg, or None for both.
        columns: the extra features, which all records have.
    """

    name: str
    class_names: Iterable[str]
    image_shape: tuple[int | None, int | None, int]
    image_format: str | None = "png"
    columns: Sequence[Column] = ()


@dataclasses.dataclass(frozen=True)
class ShardedSplit:
    """The number of records in each shard of a split, and the bytes of all records."""

    shard_lengths: tuple[int, ...]
    num_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Position of a record: name of its file, and offset in bytes."""

    file: str
    offset: int


class SplitWriter:
    """Writes the records of one split into numbered files; use as a context manager.

    The files get their names at the end, because a name holds the number of shards.
    """

    def __init__(self, directory: Path, split: str) -> None:
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
        """Appends a record, whole or in pieces; returns its position before `name_shards`."""
        shard = self._open
        if shard is None:
            path = self.directory / f"{self.split}.{len(self._closed)}{PART_SUFFIX}"
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
        """Gives the shards their final names; call this after the block."""
        shards = self._closed
        for index, shard in enumerate(shards):
            target = shard_name(name, self.split, index, len(shards))
            shard.path.rename(self.directory / target)
        num_bytes = sum(shard.num_bytes for shard in shards)
        return ShardedSplit(tuple(shard.length for shard in shards), num_bytes)

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
    overwrite: bool = False,
) -> DatasetInfo:
    """Writes records as a data set directory that appears once it is complete.

    The options are the fields of `DatasetDescription`, the `splits` of `write_records`, and
    `overwrite`: whether to replace an existing data set directory.

    Raises:
        InputError: the directory exists, or `overwrite` is set and it holds no data set; see
            `write_records` for the rest.
    """
    description = DatasetDescription(name, class_names, image_shape, image_format, columns)
    with new_directory(directory, overwrite=overwrite, marker=DATASET_INFO) as temporary:
        write_records(temporary, description, splits)
    return read_info(directory)


def write_records(
    directory: Path, description: DatasetDescription, splits: Mapping[str, Iterable[bytes]]
) -> None:
    """Writes shards and metadata that `tfds.builder_from_directory` reads.

    The same input gives the same bytes. `splits` are serialized records (see
    `schema.serialize_record`), taken one by one; a split without records is left out.

    Raises:
        InputError: a split has another name than `SPLITS`, or there is no record at all.
    """
    if unknown := set(splits) - set(SPLITS):
        raise InputError(f"unknown splits {sorted(unknown)}; there are {', '.join(SPLITS)}")
    written = {}
    for split in sorted(splits, key=SPLITS.index):
        with SplitWriter(directory, split) as writer:
            for record in splits[split]:
                writer.write(record)
        written[split] = writer.name_shards(description.name)
    write_metadata(directory, description, written)


def write_metadata(
    directory: Path, description: DatasetDescription, written: Mapping[str, ShardedSplit]
) -> None:
    """Writes the metadata of TFDS for shards that have their final names.

    Splits without records are left out.

    Raises:
        InputError: there is no record at all.
    """
    # Imported here, because the import takes seconds and reading does not need it.
    import tensorflow_datasets as tfds

    written = {split: sharded for split, sharded in written.items() if sharded.shard_lengths}
    if not written:
        raise InputError(f"no record to write for data set {description.name!r}")
    template = tfds.core.ShardedFileTemplate(
        data_dir=directory, dataset_name=description.name, filetype_suffix="tfrecord"
    )
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features=tfds_features(description),
        supervised_keys=("image", "label"),  # for as_supervised=True
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


def tfds_features(description: DatasetDescription | DatasetInfo) -> Any:
    """Returns the features of a data set as TFDS's `FeaturesDict`."""
    import tensorflow_datasets as tfds

    kinds = {
        TEXT: tfds.features.Text,
        INT: lambda: tfds.features.Scalar(np.int64),
        FLOAT: lambda: tfds.features.Scalar(np.float32),
    }
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(
                shape=description.image_shape, encoding_format=description.image_format
            ),
            "label": tfds.features.ClassLabel(names=list(description.class_names)),
            "image_id": tfds.features.Text(),
            "group": tfds.features.Text(),
            "origin": tfds.features.Text(),
            **{column.name: kinds[column.kind]() for column in description.columns},
        }
    )


def _flush_and_close(handle: int) -> None:
    try:
        getattr(os, "fdatasync", os.fsync)(handle)  # not on macOS
        # Written pages need not stay in memory; this frees memory for the next records.
        if hasattr(os, "posix_fadvise"):  # not on macOS
            os.posix_fadvise(handle, 0, 0, getattr(os, "POSIX_FADV_DONTNEED"))  # noqa: B009 - for mypy
    finally:
        os.close(handle)
