"""Checks a data set directory: every record, every image and all metadata."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.build_steps.runners import ThreadRunner, chunks
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import decode_record
from tfrecords_tools.json_reading import Part, parse_json, typed
from tfrecords_tools.progress import Progress
from tfrecords_tools.records import schema
from tfrecords_tools.records.reader import DatasetInfo, read_info
from tfrecords_tools.records.tfrecord import DamagedRecord, read_all
from tfrecords_tools.records.writer import tfds_features
from tfrecords_tools.text import first_line

ORIGINS = (schema.ORIGIN_REAL, schema.ORIGIN_SYNTHETIC)
VALUE_TYPES = {schema.TEXT: str, schema.INT: int, schema.FLOAT: float}


@dataclasses.dataclass(frozen=True)
class VerifyReport:
    """The result of a check.

    Attributes:
        records: number of records read.
        problems: one line each; empty if the data set is sound.
    """

    records: int
    problems: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Checked:
    """Problems of a record, and the fields that must agree with other records."""

    problems: tuple[str, ...]
    label: int = -1
    image_id: str = ""
    group: str = ""


def verify(directory: str | os.PathLike[str]) -> VerifyReport:
    """Reads and checks all of a data set directory.

    It checks the checksum of every record, counts, features, labels and origins, that every image
    decodes to 8-bit RGB of the promised shape, that ids are unique, that no group is in two splits,
    and that the classes are those of the build report. If there is no problem, it also checks that
    TFDS decodes the first record of each split. It runs no code that the data set names.

    Raises:
        InputError: `directory` is no data set, or its metadata cannot be read.
    """
    return _Verification(read_info(directory)).run()


@dataclasses.dataclass(frozen=True)
class _Report(Part):
    """What is checked of a build report: images by class and split."""

    classes: dict[str, dict[str, int]]


class _Verification:
    """The check of a data set directory; it remembers values that records must not repeat."""

    def __init__(self, info: DatasetInfo) -> None:
        self._info = info
        self._place_of: dict[str, str] = {}  # by image id
        self._split_of: dict[str, str] = {}  # by group
        self._counts: Counter[tuple[int, str]] = Counter()

    def run(self) -> VerifyReport:
        total = sum(files.num_records for files in self._info.splits.values())
        problems: list[str] = []
        with (
            warnings.catch_warnings(),
            Progress(total=total, unit="records", description="verify") as progress,
        ):
            # Pillow warns of oddities that do not prevent reading the image.
            warnings.simplefilter("ignore")
            for split, files in self._info.splits.items():
                for shard, promised in zip(files.shards, files.shard_lengths, strict=True):
                    problems.extend(self._check_shard(split, shard, promised, progress))
        problems.extend(self._check_report(complete=not problems))
        if not problems:
            problems.extend(_check_tfds(self._info))
        return VerifyReport(progress.done, tuple(problems))

    def _check_shard(
        self, split: str, shard: Path, promised: int, progress: Progress
    ) -> Iterator[str]:
        if not shard.is_file():
            yield f"{shard.name}: the shard is missing"
            return
        number = 0
        for results in ThreadRunner().map(self._check_chunk, chunks(read_all(shard))):
            for checked in results:
                place = f"{shard.name} record {number}"
                for problem in (*checked.problems, *self._check_others(checked, split, place)):
                    yield f"{place}: {problem}"
                number += 1
            progress.update(len(results))
        if number != promised:
            yield f"{shard.name}: {number} records, the metadata promise {promised}"

    def _check_chunk(self, records: list[bytes | DamagedRecord]) -> list[_Checked]:
        return [_check_record(record, self._info) for record in records]

    def _check_others(self, checked: _Checked, split: str, place: str) -> Iterator[str]:
        """Checks a record against the earlier ones."""
        if checked.label < 0:
            return
        self._counts[checked.label, split] += 1
        if (first := self._place_of.setdefault(checked.image_id, place)) != place:
            yield f"image_id {checked.image_id!r} is also in {first}"
        if (other := self._split_of.setdefault(checked.group, split)) != split:
            yield f"group {checked.group!r} is in split {split} and in {other}"

    def _check_report(self, *, complete: bool) -> Iterator[str]:
        """Checks classes, and counts if `complete`, against the build report if there is one."""
        path, class_names = self._info.directory / schema.BUILD_REPORT, self._info.class_names
        if not path.is_file():
            return
        try:
            classes = typed(parse_json(read_bounded(path)), _Report).classes
        except (InputError, OSError) as error:
            yield f"{path.name} is damaged: {error}"
            return
        counts = {(name, split): n for name, of in classes.items() for split, n in of.items()}
        if (names := tuple(classes)) != class_names:
            found, listed = ", ".join(class_names), ", ".join(names)
            yield f"{schema.LABELS}: the classes are {found}, but {path.name} says {listed}"
            return
        for (name, split), count in counts.items() if complete else ():
            number = self._counts[class_names.index(name), split]
            if number != count:
                yield f"class {name} has {number} records in {split}, {path.name} says {count}"


def _check_record(serialized: bytes | DamagedRecord, info: DatasetInfo) -> _Checked:
    """Checks a record without regard to others."""
    if isinstance(serialized, DamagedRecord):
        end = "" if serialized.record is not None else "; what follows cannot be read"
        return _Checked((f"it is damaged: {serialized.why}{end}",))
    try:
        record = schema.parse_record(serialized)
    except InputError as error:
        return _Checked((str(error),))
    problems = []
    if not 0 <= record.label < len(info.class_names):
        problems.append(f"label {record.label} is none of the {len(info.class_names)} classes")
    if record.origin not in ORIGINS:
        problems.append(f"origin {record.origin!r} is neither {' nor '.join(ORIGINS)}")
    if problem := _check_image(record, info.image_shape):
        problems.append(problem)
    found = {name: type(value) for name, value in record.extras.items()}
    if found != {column.name: VALUE_TYPES[column.kind] for column in info.columns}:
        columns = ", ".join(f"{name} ({kind.__name__})" for name, kind in found.items()) or "none"
        problems.append(f"its extra columns are not those of the metadata; it has {columns}")
    return _Checked(tuple(problems), record.label, record.image_id, record.group)


def _check_image(record: schema.Record, shape: tuple[int | None, int | None, int]) -> str | None:
    try:
        found = np.asarray(decode_record(record.image))
    except Rejected as rejected:
        return f"image {record.image_id!r} does not decode: {rejected.detail}"
    if any(side not in (None, met) for side, met in zip(shape, found.shape, strict=True)):
        return f"image {record.image_id!r} has shape {list(found.shape)}, promised is {shape}"
    return None


def _check_tfds(info: DatasetInfo) -> Iterator[str]:
    """Checks that TFDS decodes the first record of each split.

    TFDS gets features that are made here, and never the metadata: it imports what they name.
    """
    # Late, because it takes seconds to load.
    import tensorflow as tf

    try:
        features = tfds_features(info)
        for files in info.splits.values():
            shards = tf.data.TFRecordDataset([str(shard) for shard in files.shards])
            # As tensors, because conversion to NumPy would find no other errors.
            next(iter(shards.take(1).map(features.deserialize_example)))
    except Exception as error:  # of many kinds
        yield f"TFDS cannot read it: {first_line(error)}"
