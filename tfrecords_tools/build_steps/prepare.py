"""The first pass over the images: each is read, checked, encoded and made a record.

The steps here know nothing of threads or machines; a runner applies them to chunks of work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tfrecords_tools.build_steps.near_duplicates import small_grey
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images.image_file import PreparedImage, decode, pixels_hash, prepare
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.records.schema import Column, Record, record_pieces
from tfrecords_tools.records.writer import Place
from tfrecords_tools.sources import ImageRecord, Rejection

CHUNK = 16
"""Images of one piece of work: enough to make up for handing it over."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """An image to be read.

    Attributes:
        row: of the image in the source.
        record: the image.
        label: its class, as it will be if no class is lost.
        split: its split, as it will be if nothing is rejected.
        thumbnail: side of a thumbnail to make; 0 for none.
    """

    row: int
    record: ImageRecord
    label: int
    split: str
    thumbnail: int


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """An image that was made a record.

    Attributes:
        image: all that is known of it; its `encoded` is empty, for the record holds it.
        length: bytes of the record.
        record: the record in pieces (see `schema.record_pieces`), or where it lies.
    """

    image: PreparedImage
    length: int
    record: list[bytes] | Place


Outcome = Prepared | Rejection
Step = Callable[[list[Task]], list[Outcome]]


class Runner(Protocol):
    """What does the work: threads, or machines."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of all pieces of work, in their order."""

    @property
    def stores_in_shards(self) -> bool:
        """Whether records lie in the shards that are expected to be, in their order."""

    def storing(self, step: Step) -> Step:
        """The step, so that its records lie where the runner finds them again."""


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def prepare_chunk(
    tasks: Sequence[Task], *, root: Path, options: ImageOptions, columns: Sequence[Column]
) -> list[Outcome]:
    """Reads images and makes them records.

    Args:
        tasks: the images.
        root: the image folder.
        options: what is asked of each image.
        columns: of their extras.
    """
    return [_prepare_one(task, root, options, columns) for task in tasks]


def hash_chunk(files: Sequence[str], *, root: Path, options: ImageOptions) -> list[bytes]:
    """`images.pixels_hash` of each of some files, which were good when they were read first."""
    return [pixels_hash(decode((root / file).read_bytes(), options)) for file in files]


def grey_chunk(files: Sequence[str], *, root: Path, options: ImageOptions) -> list[np.ndarray]:
    """`near_duplicates.small_grey` of each of some files, good when they were read first."""
    return [small_grey(decode((root / file).read_bytes(), options)) for file in files]


def _prepare_one(
    task: Task, root: Path, options: ImageOptions, columns: Sequence[Column]
) -> Outcome:
    record = task.record
    try:
        image = prepare((root / record.file).read_bytes(), options, thumbnail=task.thumbnail)
    except Rejected as rejected:
        return Rejection(record.file, rejected.reason, rejected.detail)
    except OSError as error:
        return Rejection(record.file, "unreadable", error.strerror or str(error))
    names = (column.name for column in columns)
    pieces = record_pieces(
        Record(
            image=image.encoded,
            label=task.label,
            image_id=record.image_id,
            group=record.group,
            extras=dict(zip(names, record.extras, strict=True)),
        )
    )
    known = dataclasses.replace(image, encoded=b"")
    return Prepared(known, sum(map(len, pieces)), pieces)
