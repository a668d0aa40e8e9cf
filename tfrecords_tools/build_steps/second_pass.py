"""The second pass: shards of records that lie elsewhere, in another order or with another label."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfrecords_tools.records.schema import parse_record, serialize_record
from tfrecords_tools.records.tfrecord import RecordWriter, read_at
from tfrecords_tools.records.writer import PART, SHARD_BYTES, Place


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A record of a shard to be.

    Attributes:
        place: where it lies now.
        length: its bytes there.
        label: its class.
        group: its lesion or patient.
        changed: whether label or group are others than it was stored with.
    """

    place: Place
    length: int
    label: int
    group: str
    changed: bool


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file to be written, and the split that it is of."""

    split: str
    file: str
    members: tuple[Member, ...]


def divide(members: Iterable[Member]) -> Iterator[tuple[Member, ...]]:
    """The members of each shard: one is full once its records hold `SHARD_BYTES`."""
    shard: list[Member] = []
    num_bytes = 0
    for member in members:
        shard.append(member)
        num_bytes += member.length
        if num_bytes >= SHARD_BYTES:
            yield tuple(shard)
            shard, num_bytes = [], 0
    if shard:
        yield tuple(shard)


def write_shard(shard: Shard, *, directory: Path) -> int:
    """Writes one shard; returns the bytes of its records.

    It appears under its name when it is whole: a worker may be stopped, and its work be given to
    another.

    Args:
        shard: what to write.
        directory: where it is to be, and where the records lie.
    """
    temporary = directory / f"{shard.file}{PART}"
    with RecordWriter(temporary) as writer:
        for member in shard.members:
            writer.write(_record(member, directory))
    temporary.rename(directory / shard.file)
    return writer.num_bytes


def _record(member: Member, directory: Path) -> bytes:
    serialized = read_at(directory / member.place.file, member.place.offset)
    if not member.changed:
        return serialized
    record = parse_record(serialized)
    return serialize_record(dataclasses.replace(record, label=member.label, group=member.group))
