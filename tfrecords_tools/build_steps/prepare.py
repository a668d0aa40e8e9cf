"""One step of the first pass: reads, checks and encodes image files and makes records of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from tfrecords_tools.errors import Rejected
from tfrecords_tools.images.image_file import PreparedImage, prepare
from tfrecords_tools.images.opening import read_file
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.records.schema import (
    ORIGIN_REAL,
    ORIGIN_SYNTHETIC,
    Column,
    Record,
    record_pieces,
)
from tfrecords_tools.records.writer import Place
from tfrecords_tools.sources import ImageRecord, Rejection


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """An image to read.

    Attributes:
        row, record: the image, and its index in the source.
        label: index of its class, if no class is lost.
        thumbnail: side of a thumbnail to make, in pixels; 0 for none.
    """

    row: int
    record: ImageRecord
    label: int
    thumbnail: int


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """An image in the form of a record.

    Attributes:
        image: facts about it; `encoded` is empty, because the record holds the image.
        length: bytes of the record.
        record: the record in pieces (see `schema.record_pieces`), or its place on disk.
    """

    image: PreparedImage
    length: int
    record: list[bytes] | Place


Outcome = Prepared | Rejection
Step = Callable[[list[Task]], list[Outcome]]


def prepare_chunk(
    tasks: Sequence[Task], *, root: Path, options: ImageOptions, columns: Sequence[Column]
) -> list[Outcome]:
    """Reads images of the folder `root` and makes records of them."""
    return [_prepare_one(task, root, options, columns) for task in tasks]


def _prepare_one(
    task: Task, root: Path, options: ImageOptions, columns: Sequence[Column]
) -> Outcome:
    record = task.record
    try:
        content = read_file(root / record.file, options.max_pixels)
        image = prepare(content, options, thumbnail=task.thumbnail)
    except Rejected as rejected:
        return Rejection(record.file, rejected.reason, rejected.detail)
    except OSError as error:
        return Rejection(record.file, "unreadable", error.strerror or str(error))
    names = (column.name for column in columns)
    extras = dict(zip(names, record.extras, strict=True))
    origin = ORIGIN_SYNTHETIC if image.synthetic else ORIGIN_REAL
    fields = (image.encoded, task.label, record.image_id, record.group, origin)
    pieces = record_pieces(Record(*fields, extras=extras))
    without_bytes = dataclasses.replace(image, encoded=b"")
    return Prepared(without_bytes, sum(map(len, pieces)), pieces)
