"""Checks a data set directory: every record, every image, every promise of the metadata."""

from __future__ import annotations

import dataclasses
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tfrecords_tools.errors import InputError
from tfrecords_tools.images import RECORD_FORMATS, explain_failure
from tfrecords_tools.progress import Progress
from tfrecords_tools.reader import DatasetInfo, read_info, read_shard
from tfrecords_tools.schema import ORIGIN_REAL, ORIGIN_SYNTHETIC, Record, parse_record


@dataclasses.dataclass(frozen=True)
class VerifyReport:
    """What was found.

    Attributes:
        records: records read.
        problems: one line each; none where the data set is sound.
    """

    records: int
    problems: tuple[str, ...]


def verify(directory: str | os.PathLike[str]) -> VerifyReport:
    """Reads all of a data set directory.

    Checked are the checksum of every record, counts against the metadata, features, labels and
    origins, that every image decodes to 8-bit RGB of the promised shape, that ids are unique, and
    that no group stands in two splits.

    Raises:
        InputError: no data set there, or its metadata cannot be read.
    """
    info = read_info(directory)
    total = sum(files.num_records for files in info.splits.values())
    known = _Known()
    problems: list[str] = []
    with (
        warnings.catch_warnings(),
        Progress(total=total, unit="records", description="verify") as progress,
    ):
        # Pillow warns of oddities that do not keep anyone from reading the image.
        warnings.simplefilter("ignore")
        for split, files in info.splits.items():
            for shard, promised in zip(files.shards, files.shard_lengths, strict=True):
                problems.extend(_check_shard(info, split, shard, promised, known, progress))
    return VerifyReport(progress.done, tuple(problems))


class _Known:
    """Ids and groups met so far."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.splits: dict[str, str] = {}


def _check_shard(
    info: DatasetInfo,
    split: str,
    shard: Path,
    promised: int,
    known: _Known,
    progress: Progress,
) -> Iterator[str]:
    number = 0
    try:
        for serialized in read_shard(shard):
            place = f"{shard.name} record {number}"
            for problem in _check_record(info, split, serialized, place, known):
                yield f"{place}: {problem}"
            number += 1
            progress.update()
    except InputError as error:
        yield str(error)
        return
    if number != promised:
        yield f"{shard.name}: {number} records, the metadata promise {promised}"


def _check_record(
    info: DatasetInfo, split: str, serialized: bytes, place: str, known: _Known
) -> Iterator[str]:
    try:
        record = parse_record(serialized)
    except InputError as error:
        yield str(error)
        return
    if not 0 <= record.label < len(info.class_names):
        yield f"label {record.label} is none of the {len(info.class_names)} classes"
    if record.origin not in (ORIGIN_REAL, ORIGIN_SYNTHETIC):
        yield f"origin {record.origin!r} is neither {ORIGIN_REAL} nor {ORIGIN_SYNTHETIC}"
    if problem := _check_image(record, info.image_shape):
        yield problem
    if (first := known.places.setdefault(record.image_id, place)) != place:
        yield f"image_id {record.image_id!r} stands in {first} too"
    if (other := known.splits.setdefault(record.group, split)) != split:
        yield f"group {record.group!r} is in split {split} and in {other}"


def _check_image(record: Record, shape: tuple[int | None, int | None, int]) -> str | None:
    try:
        with Image.open(io.BytesIO(record.image), formats=RECORD_FORMATS) as image:
            found = np.asarray(image)
    except Exception as error:
        detail = explain_failure(error, record.image).detail
        return f"image {record.image_id!r} does not decode: {detail}"
    fits = len(found.shape) == len(shape) and all(
        side in (None, met) for side, met in zip(shape, found.shape, strict=True)
    )
    if found.dtype != np.uint8 or not fits:
        return f"image {record.image_id!r} is {found.dtype}{list(found.shape)}, promised {shape}"
    return None
