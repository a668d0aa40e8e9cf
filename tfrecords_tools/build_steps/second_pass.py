"""The second pass: shards made of spooled records, in another order or with other labels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.build_steps.runners import Runner
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.schema import parse_record, serialize_record, shard_name
from tfrecords_tools.records.tfrecord import RecordWriter, read_at
from tfrecords_tools.records.writer import PART_SUFFIX, SHARD_BYTES, Place, ShardedSplit


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A record of a shard to write.

    Attributes:
        place, length: where the record is now, and its length there in bytes.
        label, group: of the record in the shard.
        changed: whether label or group differ from the stored ones.
    """

    place: Place
    length: int
    label: int
    group: str
    changed: bool


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file to write."""

    split: str
    file: str
    members: tuple[Member, ...]


def write_shards(
    directory: Path, name: str, members: Mapping[str, Iterable[Member]], runner: Runner
) -> dict[str, ShardedSplit]:
    """Writes all shards of the data set `name`; `directory` also holds the records."""
    parts = {split: list(divide(of_split)) for split, of_split in members.items()}
    shards = [
        Shard(split, shard_name(name, split, index, len(of_split)), part)
        for split, of_split in parts.items()
        for index, part in enumerate(of_split)
    ]
    num_bytes = dict.fromkeys(parts, 0)
    total = sum(len(shard.members) for shard in shards)
    with Progress(total=total, unit="images", description="write") as progress:
        work = functools.partial(write_shard, directory=directory)
        for shard, shard_bytes in zip(shards, runner.map(work, shards), strict=True):
            num_bytes[shard.split] += shard_bytes
            progress.update(len(shard.members))
    return {
        split: ShardedSplit(tuple(map(len, of_split)), num_bytes[split])
        for split, of_split in parts.items()
    }


def divide(members: Iterable[Member]) -> Iterator[tuple[Member, ...]]:
    """Yields the members of each shard; a shard is full when its records hold `SHARD_BYTES`."""
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

    The shard gets its name when it is whole, because a runner may stop a worker and give the work
    to another one.
    """
    temporary = directory / f"{shard.file}{PART_SUFFIX}"
    with RecordWriter(temporary) as writer:
        for member in shard.members:
            serialized = read_at(directory / member.place.file, member.place.offset)
            if member.changed:
                record = parse_record(serialized)
                record = dataclasses.replace(record, label=member.label, group=member.group)
                serialized = serialize_record(record)
            writer.write(serialized)
    temporary.rename(directory / shard.file)
    return writer.num_bytes
