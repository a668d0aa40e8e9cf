"""Assigns groups to train, validation and test: stratified by class, equal on every machine."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction

from scipy.cluster.hierarchy import DisjointSet

from tfrecords_tools.build_steps.group_search import GroupSearch
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import SPLITS, TEST, TRAIN, VALIDATION
from tfrecords_tools.text import exact_number

DEFAULT_SPLITS = {"train": "0.7", "validation": "0.15", "test": "0.15"}
SHARE = re.compile(r"[+-]?[0-9.]{1,30}(e[+-]?[0-9]{1,2})?|[0-9]{1,9}/[0-9]{1,9}", re.IGNORECASE)
"""A share: a decimal number, or a fraction as in the report of a build."""
MAX_FOLDS = 100
NEAR = Fraction(1, 50)
"""A class meets a share if it misses it by at most this part of its images."""
SPLIT_PRECEDENCE = (TEST, VALIDATION, TRAIN)
"""Order of precedence: a group in several given splits stays only in the first, because other
people may use the test set."""
LEAK = "leak"
"""Reason to reject an image that is also, or whose group is, in a split of higher precedence."""


def check_shares(shares: Mapping[str, str | float]) -> dict[str, Fraction]:
    """Returns the exact share of each split, from decimal numbers; leaves out splits with share 0.

    Raises:
        InputError: an unknown split, a share outside [0, 1], or shares that do not sum to 1.
    """
    if not shares or set(shares) - set(SPLITS):
        raise InputError(f"splits {dict(shares)!r}: names must be among {', '.join(SPLITS)}")
    try:
        exact = {split: _exact(str(shares[split])) for split in SPLITS if split in shares}
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"splits {dict(shares)!r}: shares must be decimal numbers") from error
    if any(share < 0 for share in exact.values()) or sum(exact.values()) != 1:
        raise InputError(
            f"splits {dict(shares)!r}: shares must not be negative and must sum to 1, "
            f"their sum is {exact_number(float(sum(exact.values())))}"
        )
    return {split: share for split, share in exact.items() if share > 0}


def _exact(text: str) -> Fraction:
    # Fraction would write out 1e-999999999 in all its digits.
    if not SHARE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no decimal number")
    return Fraction(text)


def assign_splits(
    members: Iterable[tuple[str, str]],
    shares: Mapping[str, Fraction],
    *,
    seed: int,
    pinned: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Assigns each group to a split; returns the split by group.

    The groups of a class come in the order of a hash of (seed, group). Each goes to the split that
    lacks most images of that class. A group with several labels counts for its most frequent one.
    This suffices where groups are small. If a class then misses a share by more than `NEAR` of its
    images, `GroupSearch` places its groups anew, together with the classes of mixed groups.
    A class that has at least as many groups as there are splits has a group in each split.

    Args:
        members: (group, label) of each image.
        shares: of each split, as `check_shares` gives them; any names.
        seed: of the order.
        pinned: split of each group whose split is fixed.

    Raises:
        InputError: a group is pinned to a split that has no share.
    """
    pinned = dict(pinned or {})
    if stray := set(pinned.values()) - set(shares):
        raise InputError(f"groups are kept in splits {sorted(stray)}, which have no share now")
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for group, label in members:
        sizes[group][label] += 1
    splits = {}
    for groups in _related(sizes):
        groups.sort(key=lambda group: rank(seed, group))
        of_classes = {group: sizes[group] for group in groups}
        found = _in_turn(of_classes, shares, pinned)
        search = GroupSearch(of_classes, shares, pinned)
        if not search.is_near(found, NEAR):
            found = min(found, search.best(), key=search.rank)
        splits.update(found)
    return splits


def check_folds(count: int) -> None:
    """Checks the number of folds.

    Raises:
        InputError: there are too few folds, or more than `MAX_FOLDS`.
    """
    if not 3 <= count <= MAX_FOLDS:
        raise InputError(
            f"folds must be from 3 to {MAX_FOLDS}, because one is for test and one for "
            f"validation, got {count}"
        )


@dataclasses.dataclass(frozen=True)
class Fold:
    """One round of a cross-validation: a fold is the test split, the next one validation.

    Attributes:
        number: of the fold that is the test split, from 0.
        count: number of folds, see `check_folds`.
    """

    number: int
    count: int

    @property
    def shares(self) -> dict[str, Fraction]:
        """The share of each split."""
        one = Fraction(1, self.count)
        return {TRAIN: 1 - 2 * one, VALIDATION: one, TEST: one}

    def assign(self, members: Iterable[tuple[str, str]], *, seed: int) -> dict[str, str]:
        """Returns the split of each group; the folds are the same for each `number`."""
        of_fold = {f"{number:03d}": Fraction(1, self.count) for number in range(self.count)}
        folds = assign_splits(members, of_fold, seed=seed)
        validation = (self.number + 1) % self.count
        roles = {self.number: TEST, validation: VALIDATION}
        return {group: roles.get(int(fold), TRAIN) for group, fold in folds.items()}


def home_splits(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the first split of each group by precedence, from (group, split) of each image."""
    splits: dict[str, str] = {}
    for group, split in given:
        splits[group] = min(splits.get(group, split), split, key=SPLIT_PRECEDENCE.index)
    return splits


def rank(seed: int, name: str) -> bytes:
    """Returns a hash that orders groups or images without regard to their names."""
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def _related(sizes: Mapping[str, Counter[str]]) -> list[list[str]]:
    """Returns the groups of each class; classes that share groups come together."""
    classes = DisjointSet({label for labels in sizes.values() for label in labels})
    for first, *others in sizes.values():
        for label in others:
            classes.merge(first, label)
    related: dict[str, list[str]] = defaultdict(list)
    for group, labels in sizes.items():
        related[classes[next(iter(labels))]].append(group)
    return list(related.values())


def _in_turn(
    sizes: Mapping[str, Counter[str]], shares: Mapping[str, Fraction], pinned: Mapping[str, str]
) -> dict[str, str]:
    """Assigns groups in their order; each counts for its most frequent label only."""
    by_class: dict[str, list[str]] = defaultdict(list)
    for group, labels in sizes.items():
        by_class[min(labels, key=lambda label: (-labels[label], label))].append(group)
    splits = {}
    for groups in by_class.values():
        splits.update(_fill({group: sizes[group].total() for group in groups}, shares, pinned))
    return splits


def _fill(
    weights: Mapping[str, int], shares: Mapping[str, Fraction], pinned: Mapping[str, str]
) -> dict[str, str]:
    """Assigns the groups of one class, in order."""
    total = sum(weights.values())
    lacking = {split: share * total for split, share in shares.items()}
    chosen = {group: pinned[group] for group in weights if group in pinned}
    for group, split in chosen.items():
        lacking[split] -= weights[group]
    free = [group for group in weights if group not in pinned]
    empty = set(shares) - set(chosen.values())
    if len(free) < len(empty):
        empty = set()
    for group in free:
        candidates = [split for split in lacking if split in empty] or lacking
        chosen[group] = split = max(candidates, key=lacking.__getitem__)
        empty.discard(split)
        lacking[split] -= weights[group]
    return chosen
