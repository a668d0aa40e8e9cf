"""Records on disk as the first pass writes them, before the final plan is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.build_steps.prepare import Prepared
from tfrecords_tools.build_steps.second_pass import Member
from tfrecords_tools.records.writer import PART_SUFFIX, Place, ShardedSplit, SplitWriter
from tfrecords_tools.sources import ImageRecord


class Spool:
    """The records of all good images, in the shards of the expected plan.

    The expected plan is right if all images are good and no two are equal. Records are written
    within the context of the spool and used after it. Rows are those of the source.
    """

    def __init__(self, directory: Path, records: Sequence[ImageRecord], expected: Plan) -> None:
        self._directory = directory
        self._records = records
        self._expected = expected
        self._writers = {split: SplitWriter(directory, split) for split in expected.members}
        self._opened = contextlib.ExitStack()
        self._stored_by_workers = False
        self._files: list[str] = []
        fields = [("file", np.int32), ("offset", np.int64), ("length", np.int64)]
        self._stored = np.zeros(len(records), fields)

    def __enter__(self) -> Spool:
        for writer in self._writers.values():
            self._opened.enter_context(writer)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._opened.__exit__(*exception)

    def write(self, row: int, split: str, prepared: Prepared) -> None:
        """Stores a record, unless a worker stored it, and notes its place."""
        place = prepared.record
        if isinstance(place, Place):
            self._stored_by_workers = True
        else:
            place = self._writers[split].write(*place)
        if not self._files or self._files[-1] != place.file:
            self._files.append(place.file)
        self._stored[row] = (len(self._files) - 1, place.offset, prepared.length)

    def as_shards(self, plan: Plan, name: str) -> dict[str, ShardedSplit] | None:
        """Names the files as shards of a data set; returns None if the plan needs other shards."""
        if self._stored_by_workers or plan != self._expected:
            return None
        return {split: writer.name_shards(name) for split, writer in self._writers.items()}

    def members(self, plan: Plan, split: str) -> Iterator[Member]:
        """Yields the place of each record of a split, with its label and group in the plan."""
        label_of = {name: label for label, name in enumerate(plan.class_names)}
        same_labels = plan.class_names == self._expected.class_names
        for row in plan.members[split]:
            record = self._records[row]
            file, offset, length = self._stored[row].tolist()
            place, group = Place(self._files[file], offset), plan.group(record)
            changed = not same_labels or group != record.group
            yield Member(place, length, label_of[record.label], group, changed)

    def discard(self) -> None:
        """Removes the spooled records, and files that stopped workers left."""
        left = {path.name for path in self._directory.glob(f"*{PART_SUFFIX}")}
        for file in left | set(self._files):
            (self._directory / file).unlink()
