"""The first pass: every image read once, its record on disk, and a few numbers of it in memory.

What stays in memory of an image is some fifty bytes beside its names, so that a build of millions
needs no more of it than one of thousands by much.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tfrecords_tools.build_steps import contact_sheets
from tfrecords_tools.build_steps.duplicates import Traces
from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.build_steps.prepare import (
    Outcome,
    Runner,
    Task,
    chunks,
    grey_chunk,
    hash_chunk,
    prepare_chunk,
)
from tfrecords_tools.build_steps.second_pass import Member
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import PreparedImage
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.writer import PART, Place, ShardedSplit, SplitWriter
from tfrecords_tools.sources import Rejection, Source

Result = TypeVar("Result")


class Spool:
    """Records of all good images on disk, in the shards of the plan that was expected to hold.

    Rows are those of the source's records.

    Attributes:
        traces: of all images, for duplicates.
        rejections: of images that are no good.
        thumbnails: of the first images of each class, by row.
        fingerprint: of the input, 64 hexadecimal digits; the order of reading does not matter.
        re_encoded: images whose bytes are not the file's.
        with_profile: images with a colour profile that was not applied.
    """

    def __init__(
        self,
        directory: Path,
        source: Source,
        options: ImageOptions,
        runner: Runner,
        expected: Plan,
    ) -> None:
        """Makes room.

        Args:
            directory: where the records are to lie.
            source: lists the images.
            options: what is asked of each image.
            runner: does the work.
            expected: the plan that holds if all images are good and no two are equal.
        """
        count = len(source.records)
        self.traces = Traces.empty(count)
        self.rejections: list[Rejection] = []
        self.thumbnails: dict[int, np.ndarray] = {}
        self.re_encoded = self.with_profile = 0
        self._directory = directory
        self._source = source
        self._options = options
        self._runner = runner
        self._expected = expected
        self._writers: dict[str, SplitWriter] = {}
        self._sum = 0
        self._lengths = np.zeros(count, np.int64)
        self._offsets = np.zeros(count, np.int64)
        self._file_of = np.zeros(count, np.int32)
        self._files: list[str] = []

    @property
    def fingerprint(self) -> str:
        """Of the input: the good images, and all that names and tables say of them."""
        return f"{self._sum:064x}"

    def fill(self) -> None:
        """Reads every image, in the order of the expected plan."""
        step = self._runner.storing(
            functools.partial(
                prepare_chunk,
                root=self._source.root,
                options=self._options,
                columns=self._source.columns,
            )
        )
        total = len(self._source.records)
        with contextlib.ExitStack() as stack:
            progress = Progress(total=total, unit="images", description="read")
            stack.enter_context(progress)
            for split in self._expected.members:
                self._writers[split] = SplitWriter(self._directory, split)
                stack.enter_context(self._writers[split])
            # Two equal streams of tasks: one to be worked on, one to go with the results.
            results = self._runner.map(step, chunks(self._tasks()))
            for tasks, outcomes in zip(chunks(self._tasks()), results, strict=True):
                for task, outcome in zip(tasks, outcomes, strict=True):
                    self._note(task, outcome)
                progress.update(len(tasks))

    def as_shards(self, plan: Plan, name: str) -> dict[str, ShardedSplit] | None:
        """Makes the spooled files the shards of a data set, if they are those of the plan.

        Returns:
            What was written; None where other shards are needed.
        """
        fits = (plan.class_names, plan.members) == (
            self._expected.class_names,
            self._expected.members,
        )
        if not (fits and self._runner.stores_in_shards) or any(
            plan.group(record) != record.group for record in self._source.records
        ):
            return None
        return {split: writer.name_shards(name) for split, writer in self._writers.items()}

    def members(self, plan: Plan, split: str) -> Iterator[Member]:
        """The records of a split, as they lie here and as the plan has them."""
        label_of = {name: label for label, name in enumerate(plan.class_names)}
        same_labels = plan.class_names == self._expected.class_names
        for row in plan.members[split]:
            record = self._source.records[row]
            group = plan.group(record)
            yield Member(
                place=Place(self._files[self._file_of[row]], int(self._offsets[row])),
                length=int(self._lengths[row]),
                label=label_of[record.label],
                group=group,
                changed=not same_labels or group != record.group,
            )

    def discard(self) -> None:
        """Removes the spooled records, and what workers wrote in vain."""
        left = {path.name for path in self._directory.glob(f"*{PART}")}
        for file in left | set(self._files):
            (self._directory / file).unlink()

    def pixels_hashes(self, rows: Sequence[int]) -> Iterator[bytes]:
        """`images.pixels_hash` of each of some rows, whose files are read again."""
        return self._again(hash_chunk, rows)

    def greys(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """`near_duplicates.small_grey` of each of some rows, whose files are read again."""
        return self._again(grey_chunk, rows)

    def _tasks(self) -> Iterator[Task]:
        label_of = {name: label for label, name in enumerate(self._expected.class_names)}
        shown = [0] * len(label_of)
        for split, rows in self._expected.members.items():
            for row in rows:
                record = self._source.records[row]
                label = label_of[record.label]
                thumbnail = contact_sheets.SIDE if shown[label] < contact_sheets.IMAGES else 0
                shown[label] += 1
                yield Task(row, record, label, split, thumbnail)

    def _note(self, task: Task, outcome: Outcome) -> None:
        if isinstance(outcome, Rejection):
            self.rejections.append(outcome)
            return
        place = outcome.record
        if not isinstance(place, Place):
            place = self._writers[task.split].write(*place)
        self._note_place(task.row, place, outcome.length)
        self._note_image(task, outcome.image)

    def _note_place(self, row: int, place: Place, length: int) -> None:
        if not self._files or self._files[-1] != place.file:
            self._files.append(place.file)
        self._file_of[row] = len(self._files) - 1
        self._offsets[row] = place.offset
        self._lengths[row] = length

    def _note_image(self, task: Task, image: PreparedImage) -> None:
        row, record = task.row, task.record
        self.traces.probe[row] = image.probe
        self.traces.perceptual[row] = image.perceptual
        self.traces.scale[row] = image.scale
        self.traces.good[row] = True
        if image.thumbnail is not None:
            self.thumbnails[row] = image.thumbnail
        self.re_encoded += not image.untouched
        self.with_profile += image.has_profile
        # The record holds all that the tables say of the image.
        fields = f"{record}\0{image.num_bytes}\0{image.checksum}"
        digest = hashlib.sha256(fields.encode()).digest()
        self._sum = (self._sum + int.from_bytes(digest)) % 2**256

    def _again(self, step: Callable[..., list[Result]], rows: Sequence[int]) -> Iterator[Result]:
        files = [self._source.records[row].file for row in rows]
        work = functools.partial(step, root=self._source.root, options=self._options)
        try:
            for results in self._runner.map(work, chunks(files)):
                yield from results
        except (OSError, Rejected) as error:
            raise InputError(
                f"an image changed or went while the build ran ({error}): start it again"
            ) from error
