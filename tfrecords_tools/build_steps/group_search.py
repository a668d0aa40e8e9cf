"""Searches for the splits of whole groups that come nearest to the shares of every class.

Large groups come first, because small ones can still repair what they leave. A beam search keeps
many partial assignments: with few groups all of them, so that the result is the optimum.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

SEARCH_STEPS = 100_000
"""Assignments that a search may try: half a second."""

Lacking = tuple[int, ...]
"""What each (class, split) lacks to its share; in units that make it a whole number."""


@dataclasses.dataclass(slots=True)
class Trial:
    """An assignment of the groups so far.

    Attributes:
        cost: sum of the squares of what the classes lack, each relative to its images.
        lacking: what is left to assign, in the order of classes and splits.
        steps: the trial before, and the split of the last group; None at the start.
    """

    cost: int
    lacking: Lacking
    steps: tuple[Trial, int] | None = None

    def chosen(self) -> list[int]:
        """Returns the split of each group, in the order of their assignment."""
        found, trial = [], self
        while trial.steps is not None:
            trial, split = trial.steps
            found.append(split)
        return found[::-1]


class GroupSearch:
    """The groups of some classes, and the shares that they should meet.

    All numbers are whole, so that every machine finds the same splits.

    Args:
        sizes: number of images of each class, by group; of equal groups, the first come first.
        shares: of each split.
        pinned: split of each group whose split is fixed.
    """

    def __init__(
        self,
        sizes: Mapping[str, Counter[str]],
        shares: Mapping[str, Fraction],
        pinned: Mapping[str, str],
    ) -> None:
        self._sizes, self._splits = sizes, tuple(shares)
        totals: Counter[str] = Counter()
        for of_group in sizes.values():
            totals.update(of_group)
        self._classes = {label: number for number, label in enumerate(sorted(totals))}
        self._unit = math.lcm(*(share.denominator for share in shares.values()))
        self._totals = tuple(totals[label] for label in self._classes)
        # A class counts by its shares, not by its images: rare classes count as much as others.
        largest = max(self._totals) ** 2
        self._weights = tuple(1000 * largest // total**2 for total in self._totals)
        lacking = tuple(
            int(self._unit * share * total) for total in self._totals for share in shares.values()
        )
        self._pinned = {group: pinned[group] for group in sizes if group in pinned}
        self._start = self._extended(Trial(self._cost(lacking), lacking), self._pinned)
        self._free = [group for group in sizes if group not in self._pinned]
        self._to_fill = self._places_to_fill(lacking)

    def is_near(self, assigned: Mapping[str, str], tolerance: Fraction) -> bool:
        """Returns whether each class lacks at most this share of its images in each split."""
        trial = self._trial(assigned)
        count = len(self._splits)
        return not self._empty(trial) and all(
            abs(lack) <= tolerance * self._unit * self._totals[place // count]
            for place, lack in enumerate(trial.lacking)
        )

    def rank(self, assigned: Mapping[str, str]) -> tuple[int, int]:
        """Returns (empty splits of classes, cost) of an assignment: the lower, the better."""
        trial = self._trial(assigned)
        return self._empty(trial), trial.cost

    def best(self) -> dict[str, str]:
        """Returns the best assignment that the search finds; the split by group."""
        order = sorted(self._free, key=lambda group: -self._sizes[group].total())
        width = max(1, SEARCH_STEPS // (len(self._splits) * max(1, len(order))))
        trials: Iterable[Trial] = [self._start]
        for group in order:
            reached: dict[Lacking, Trial] = {}
            for trial in trials:
                for split in range(len(self._splits)):
                    lacking = list(trial.lacking)
                    cost = trial.cost + self._place(self._sizes[group], split, lacking)
                    if (key := tuple(lacking)) not in reached:
                        reached[key] = Trial(cost, key, (trial, split))
            trials = reached.values()
            if len(reached) > width:
                trials = heapq.nsmallest(width, trials, key=lambda trial: trial.cost)
        best = min(trials, key=lambda trial: (self._empty(trial), trial.cost))
        found = zip(order, best.chosen(), strict=True)
        return {**self._pinned, **{group: self._splits[split] for group, split in found}}

    def _trial(self, assigned: Mapping[str, str]) -> Trial:
        return self._extended(self._start, {group: assigned[group] for group in self._free})

    def _extended(self, trial: Trial, assigned: Mapping[str, str]) -> Trial:
        """Returns a trial with more groups, which does not remember its steps."""
        cost, lacking = trial.cost, list(trial.lacking)
        for group, split in assigned.items():
            cost += self._place(self._sizes[group], self._splits.index(split), lacking)
        return Trial(cost, tuple(lacking))

    def _place(self, group: Mapping[str, int], split: int, lacking: list[int]) -> int:
        """Takes a group from what its split lacks; returns by how much the cost changes."""
        change = 0
        for label, count in group.items():
            number = self._classes[label]
            place = number * len(self._splits) + split
            before, size = lacking[place], self._unit * count
            lacking[place] = before - size
            change += self._weights[number] * size * (size - 2 * before)
        return change

    def _cost(self, lacking: Sequence[int]) -> int:
        count = len(self._splits)
        return sum(self._weights[place // count] * lack**2 for place, lack in enumerate(lacking))

    def _places_to_fill(self, whole: Lacking) -> dict[int, int]:
        """Returns the splits that get a group of each class if it has enough groups.

        By (class, split): what it lacks as long as it is empty.
        """
        groups: Counter[int] = Counter()
        for group in self._free:
            groups.update(self._classes[label] for label in self._sizes[group])
        empty: dict[int, list[int]] = {number: [] for number in self._classes.values()}
        for place, (lack, at_first) in enumerate(zip(self._start.lacking, whole, strict=True)):
            if lack == at_first:
                empty[place // len(self._splits)].append(place)
        enough = (places for number, places in empty.items() if len(places) <= groups[number])
        return {place: whole[place] for places in enough for place in places}

    def _empty(self, trial: Trial) -> int:
        return sum(trial.lacking[place] == lack for place, lack in self._to_fill.items())
