"""Writes a data set directory: shards and TFDS metadata, whole or not at all."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import tensorflow as tf

from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.images import encode_png as encode_png
from tfrecords_tools.reader import DatasetInfo, read_info
from tfrecords_tools.schema import SPLITS, shard_name

SHARD_BYTES = 128 * 2**20
"""A shard is closed once it holds so many bytes of records."""
FRAME_BYTES = 16
"""Length and two checksums around each record of a TFRecord file."""


@dataclasses.dataclass(frozen=True)
class ShardedSplit:
    """A split as it was written.

    Attributes:
        shard_lengths: records in each shard.
        num_bytes: bytes of all records.
    """

    shard_lengths: tuple[int, ...]
    num_bytes: int


def write_dataset(
    directory: str | os.PathLike[str],
    *,
    name: str,
    class_names: Iterable[str],
    image_shape: tuple[int | None, int | None, int],
    image_format: str | None = "png",
    splits: Mapping[str, Iterable[bytes]],
    extra_files: Callable[[], Mapping[str, bytes]] = dict,
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
        splits: serialized records (see `schema.serialize_record`) of each split; taken one by
            one, so that a generator may make them. A split without records is left out.
        extra_files: gives further files by name; called once all records are written, so that
            they may tell of the records.
        overwrite: whether to replace a directory that is there already.

    Raises:
        InputError: the directory is there already, a split has another name than `SPLITS`, or
            there is no record at all.
    """
    with new_directory(directory, overwrite=overwrite) as temporary:
        write_files(
            temporary,
            name=name,
            class_names=class_names,
            image_shape=image_shape,
            image_format=image_format,
            splits=splits,
        )
        for file, content in extra_files().items():
            (temporary / file).write_bytes(content)
    return read_info(directory)


def write_files(
    directory: Path,
    *,
    name: str,
    class_names: Iterable[str],
    image_shape: tuple[int | None, int | None, int],
    image_format: str | None,
    splits: Mapping[str, Iterable[bytes]],
) -> None:
    """Writes shards and metadata into a directory that is there already.

    Args:
        directory: where; as `atomic.new_directory` gives it.
        name: as in `write_dataset`, like all that follow.
        class_names: in the order of the labels.
        image_shape: of the images.
        image_format: of the images.
        splits: serialized records of each split.

    Raises:
        InputError: a split has another name than `SPLITS`, or there is no record at all.
    """
    if unknown := set(splits) - set(SPLITS):
        raise InputError(f"unknown splits {sorted(unknown)}; there are {', '.join(SPLITS)}")
    written = {
        split: _write_split(directory, name, split, splits[split])
        for split in SPLITS
        if split in splits
    }
    written = {split: sharded for split, sharded in written.items() if sharded.shard_lengths}
    if not written:
        raise InputError(f"no record to write for data set {name!r}")
    _write_metadata(directory, name, tuple(class_names), image_shape, image_format, written)


def _write_split(directory: Path, name: str, split: str, records: Iterable[bytes]) -> ShardedSplit:
    """Writes numbered shards, then gives them their names, which tell how many there are."""
    lengths: list[int] = []
    num_bytes = 0
    remaining = iter(records)
    for first in remaining:
        shard = _unnamed(directory, split, len(lengths))
        length, shard_bytes = _write_shard(shard, itertools.chain([first], remaining))
        lengths.append(length)
        num_bytes += shard_bytes
    for index in range(len(lengths)):
        target = directory / shard_name(name, split, index, len(lengths))
        _unnamed(directory, split, index).rename(target)
    return ShardedSplit(tuple(lengths), num_bytes)


def _write_shard(shard: Path, records: Iterator[bytes]) -> tuple[int, int]:
    """Takes records until the shard is full; returns how many, and their bytes."""
    length = num_bytes = 0
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for record in records:
            writer.write(record)
            length += 1
            num_bytes += len(record)
            if num_bytes >= SHARD_BYTES:
                break
    expected = num_bytes + length * FRAME_BYTES
    if (found := shard.stat().st_size) != expected:
        raise OSError(errno.EIO, f"{found} of {expected} bytes arrived on the disk", str(shard))
    return length, num_bytes


def _unnamed(directory: Path, split: str, index: int) -> Path:
    return directory / f"{split}.{index}.part"


def _write_metadata(
    directory: Path,
    name: str,
    class_names: tuple[str, ...],
    image_shape: tuple[int | None, int | None, int],
    image_format: str | None,
    written: Mapping[str, ShardedSplit],
) -> None:
    # Late, because it takes seconds to load and reading needs none of it.
    import tensorflow_datasets as tfds

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
