"""Reads a data set directory: its metadata, its records, its fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import parse_json
from tfrecords_tools.records import schema
from tfrecords_tools.records.metadata import parse_features, parse_info
from tfrecords_tools.records.schema import SPLITS, Column, Record, parse_record
from tfrecords_tools.records.tfrecord import DamagedRecord, read_file


@dataclasses.dataclass(frozen=True)
class SplitFiles:
    """One split on disk.

    Attributes:
        num_records: in all shards.
        shards: the files, in order.
        shard_lengths: number of records in each.
    """

    num_records: int
    shards: tuple[Path, ...]
    shard_lengths: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The metadata of a data set directory.

    Attributes:
        class_names: in the order of their labels.
        image_shape: (height, width, 3); height and width are None if they vary.
        splits: by name, in the order train, validation, test.
        columns: the extra features of its records, sorted by name.
        image_format: png, jpeg, or None if both may occur.
    """

    directory: Path
    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[int | None, int | None, int]
    splits: dict[str, SplitFiles]
    columns: tuple[Column, ...] = ()
    image_format: str | None = None


def read_info(directory: str | os.PathLike[str]) -> DatasetInfo:
    """Reads the metadata of a data set directory; opens no shard.

    Raises:
        InputError: there is no such directory, or it is no data set directory.
    """
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"{directory} does not exist: give a data set directory")
    for file in (schema.DATASET_INFO, schema.FEATURES, schema.LABELS):
        if not (path / file).is_file():
            raise InputError(
                f"{directory} is not a data set directory, it has no {file}: make one with "
                "`tfrecords-tools build`"
            )
    try:
        name, lengths = parse_info(parse_json(read_bounded(path / schema.DATASET_INFO)))
        found = parse_features(parse_json(read_bounded(path / schema.FEATURES)))
        class_names = tuple(read_bounded(path / schema.LABELS).decode("utf-8").splitlines())
        if len(class_names) != found.num_classes:
            raise ValueError(
                f"{schema.LABELS} has {len(class_names)} names, {schema.FEATURES} promises "
                f"{found.num_classes}"
            )
        if len({*class_names}) < len(class_names) or any(
            n != n.strip() or not n for n in class_names
        ):
            raise ValueError(f"{schema.LABELS} has a blank, padded or repeated name")
    except ValueError as error:
        raise InputError(
            f"{directory}: the metadata are damaged or foreign ({error}); build it again"
        ) from error
    order = sorted(lengths, key=lambda split: (*SPLITS, split).index(split))
    splits = {}
    for split in order:
        count = len(lengths[split])
        shards = tuple(path / schema.shard_name(name, split, i, count) for i in range(count))
        splits[split] = SplitFiles(sum(lengths[split]), shards, lengths[split])
    return DatasetInfo(
        path, name, class_names, found.image_shape, splits, found.columns, found.image_format
    )


def read(directory: str | os.PathLike[str], split: str) -> Iterator[Record]:
    """Yields the records of a split, in shard order, their checksums checked.

    Raises:
        InputError: as `read_records`, a record lacks a feature, or its label is that of no class.
    """
    info = read_info(directory)
    for serialized in read_records(directory, split):
        record = parse_record(serialized)
        check_label(record, info)
        yield record


def check_label(record: Record, info: DatasetInfo) -> None:
    """Checks that the label of a record is that of a class; -1 would be the last one in Python.

    Raises:
        InputError: it is not.
    """
    if not 0 <= record.label < len(info.class_names):
        raise InputError(
            f"{info.directory}: image {record.image_id!r} has label {record.label}, there are "
            f"{len(info.class_names)} classes: build the data set again"
        )


def read_records(directory: str | os.PathLike[str], split: str) -> Iterator[bytes]:
    """Yields the serialized records of a split, in shard order, their checksums checked.

    Raises:
        InputError: there is no such data set or split, a shard is missing or cut, or a record is
            damaged.
    """
    info = read_info(directory)
    if split not in info.splits:
        raise InputError(f"{directory} has no split {split!r}; it has {', '.join(info.splits)}")
    files = info.splits[split]
    for shard, promised in zip(files.shards, files.shard_lengths, strict=True):
        _check_present(shard)
        found = 0
        try:
            for found, record in enumerate(read_file(shard), 1):
                # Callers reserve room for the promised number, so never yield more.
                if found <= promised:
                    yield record
        except DamagedRecord as error:
            raise InputError(f"shard {shard}: {error}: build the data set again") from error
        if found != promised:
            raise InputError(
                f"shard {shard} has {found} records, the metadata promise {promised}: build the "
                "data set again"
            )


def fingerprint(directory: str | os.PathLike[str]) -> str:
    """Computes the SHA-256 of class names and bytes of all shards: 64 hex digits.

    Raises:
        InputError: `directory` is no data set, or a shard is missing.
    """
    info = read_info(directory)
    digest = hashlib.sha256("\n".join(info.class_names).encode())
    for split, files in info.splits.items():
        digest.update(f"\0{split}\0".encode())
        for shard in files.shards:
            _check_present(shard)
            with shard.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _check_present(shard: Path) -> None:
    if not shard.is_file():
        raise InputError(f"shard {shard} is missing: build the data set again")
