"""The plan of a data set: class names, and the images of each split in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import cast

from tfrecords_tools.build_steps import splits
from tfrecords_tools.build_steps.kept_splits import KeptSplits, read_kept_splits
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.records.schema import SPLITS, TRAIN
from tfrecords_tools.sources import ImageRecord, Rejection, Source
from tfrecords_tools.text import in_order

SYNTHETIC = "synthetic"
"""Reason to reject an image that says that it is synthetic, in a split for real images only."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """The images of each split. Rows are those of the source.

    Attributes:
        class_names: in the order of the labels.
        members: rows of each split, in the order of the data set.
        joined: new name of each group that was joined to others.
    """

    class_names: tuple[str, ...]
    members: Mapping[str, tuple[int, ...]]
    joined: Mapping[str, str]

    def without(self, rows: Collection[int]) -> Plan:
        """Returns the plan without some rows; its classes stay."""
        members = {
            split: tuple(row for row in of_split if row not in rows)
            for split, of_split in self.members.items()
        }
        return dataclasses.replace(self, members=members)

    def group(self, record: ImageRecord) -> str:
        """The group of a record in the data set."""
        return self.joined.get(record.group, record.group)


@dataclasses.dataclass(frozen=True)
class Planner:
    """Makes plans for one source.

    Attributes:
        source: lists all images.
        shares: of each split; None if the source gives the splits.
        seed: of splits and orders.
        kept: splits of an earlier data set.
        fold: round of a cross-validation, or None.
    """

    source: Source
    shares: Mapping[str, Fraction] | None
    seed: int
    kept: KeptSplits
    fold: splits.Fold | None = None

    @classmethod
    def from_options(
        cls, source: Source, options: BuildOptions, fold: splits.Fold | None = None
    ) -> Planner:
        """Makes the planner of a build.

        Raises:
            InputError: the options do not fit the source, or shares cannot be used.
        """
        if source.gives_splits:
            if options.splits or options.keep_splits or fold:
                given = "folds" if fold else "splits and keep_splits"
                raise InputError(f"{source.root} gives the split of each image: leave {given} out")
            return cls(source, None, options.seed, KeptSplits())
        if fold:
            if options.splits or options.keep_splits:
                raise InputError("folds give the splits: leave splits and keep_splits out")
            return cls(source, fold.shares, options.seed, KeptSplits(), fold)
        shares = splits.check_shares(options.splits or splits.DEFAULT_SPLITS)
        kept = KeptSplits()
        if options.keep_splits:
            kept = read_kept_splits(options.keep_splits)
            kept.check_met(source.records, str(options.keep_splits))
        return cls(source, shares, options.seed, kept)

    def plan(
        self,
        rows: Iterable[int],
        joined: Mapping[str, str],
        synthetic: Collection[int] = frozenset(),
    ) -> Plan:
        """Plans a data set of the given rows, ascending; `joined` gives new names of joined groups.

        Rows that are `synthetic` go to the training split with their groups, and fill no quota.

        Raises:
            InputError: fewer than two classes are left, or kept splits contradict each other.
        """
        rows = list(rows)
        names = tuple(in_order(self.source.records[row].label for row in rows))
        if len(names) < 2:
            raise InputError(
                f"{self.source.root} has one class only, {names[0]!r}: two or more are "
                "needed, each in a folder of its own, or in a column of a table (--labels)"
            )
        split_of = self._splits(rows, joined, synthetic)
        members: dict[str, list[int]] = {split: [] for split in SPLITS}
        # In the order of a hash, so that classes are mixed.
        ids = {row: self.source.records[row].image_id for row in rows}
        for row in sorted(rows, key=lambda row: splits.rank(self.seed, ids[row])):
            members[split_of(row)].append(row)
        return Plan(names, {split: tuple(m) for split, m in members.items() if m}, joined)

    def leaks(self, rows: Sequence[int], joined: Mapping[str, str]) -> dict[int, Rejection]:
        """Rejects images whose group is also in a given split of higher precedence; by row."""
        if self.shares is not None:
            return {}
        groups = {row: self._group(row, joined) for row in rows}
        home = splits.home_splits((groups[row], self._given(row)) for row in rows)
        return {
            row: Rejection(
                *(self.source.records[row].file, splits.LEAK),
                f"its group {group!r} is also in split {home[group]}",
            )
            for row, group in groups.items()
            if self._given(row) != home[group]
        }

    def outside_training(
        self, rows: Iterable[int], joined: Mapping[str, str], synthetic: Collection[int]
    ) -> dict[int, Rejection]:
        """Rejects synthetic images that would not be for training; by row.

        Their split is given or kept, or it is a fold with real images of the same group.
        """
        rows = list(rows)
        if self.fold:
            homes = self._assigned(rows, joined, synthetic)
        else:
            homes = self.kept.pins(self.source.records, joined)
        elsewhere = TRAIN if self.shares is None or TRAIN in self.shares else "not there"
        rejections = {}
        for row in filter(synthetic.__contains__, rows):
            split = self._given(row) or homes.get(self._group(row, joined), elsewhere)
            if split != TRAIN:
                detail = f"its metadata say so; its split is {split}, it may be in training only"
                rejections[row] = Rejection(self.source.records[row].file, SYNTHETIC, detail)
        return rejections

    def _splits(
        self, rows: Sequence[int], joined: Mapping[str, str], synthetic: Collection[int]
    ) -> Callable[[int], str]:
        if self.shares is None:
            return self._given
        assigned = self._assigned(rows, joined, synthetic)
        return lambda row: TRAIN if row in synthetic else assigned[self._group(row, joined)]

    def _assigned(
        self, rows: Iterable[int], joined: Mapping[str, str], synthetic: Collection[int]
    ) -> dict[str, str]:
        """Returns the split of each group with real images."""
        members, pinned = [], self.kept.pins(self.source.records, joined)
        for row in rows:
            group = self._group(row, joined)
            if row not in synthetic:
                members.append((group, self.source.records[row].label))
            elif not self.fold:
                pinned[group] = TRAIN
        if self.fold:
            return self.fold.assign(members, seed=self.seed)
        return splits.assign_splits(members, self.shares or {}, seed=self.seed, pinned=pinned)

    def _given(self, row: int) -> str:
        return cast(str, self.source.records[row].split)

    def _group(self, row: int, joined: Mapping[str, str]) -> str:
        group = self.source.records[row].group
        return joined.get(group, group)
