"""Images that occur twice, by the content of their pixels."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tfrecords_tools.build_steps.splits import LEAK, WEIGHTIEST
from tfrecords_tools.sources import ImageRecord, Rejection

CLOSE_BITS = 10
"""Bits in which the perceptual hashes of one picture, decoded in two ways, differ at most."""

MOST_COMPARISONS = 10**9
"""Beyond so many it takes less time to read all images once more."""


@dataclasses.dataclass(frozen=True)
class Traces:
    """What is remembered of each image to find those of equal pixels: one row per image.

    Attributes:
        probe: uint64[n], checksum of a grid of its pixels.
        perceptual: uint64[n], perceptual hash.
        scale: uint8[n], both are of a decoding at 1/scale of the size.
        good: bool[n], whether there is an image at all.
    """

    probe: np.ndarray
    perceptual: np.ndarray
    scale: np.ndarray
    good: np.ndarray

    @staticmethod
    def empty(count: int) -> Traces:
        """Room for so many images."""
        return Traces(
            np.zeros(count, np.uint64),
            np.zeros(count, np.uint64),
            np.zeros(count, np.uint8),
            np.zeros(count, bool),
        )


@dataclasses.dataclass(frozen=True)
class Settled:
    """What is left once duplicates are settled.

    Attributes:
        rejections: of images that go, by row.
        joined: new name of each group that was joined to another under that one's name.
    """

    rejections: Mapping[int, Rejection]
    joined: Mapping[str, str]


def copies(
    traces: Traces, pixels_hashes: Callable[[Sequence[int]], Iterable[bytes]]
) -> list[list[int]]:
    """Rows of images of equal pixels: lists of two and more, ascending.

    Only images that may be equal, by their traces, are compared in full.

    Args:
        traces: of all images.
        pixels_hashes: gives the hash of all pixels of each of some rows.
    """
    rows = sorted(_suspects(traces))
    same: dict[bytes, list[int]] = defaultdict(list)
    for row, pixels in zip(rows, pixels_hashes(rows), strict=True):
        same[pixels].append(row)
    return [members for members in same.values() if len(members) > 1]


def settle(records: Sequence[ImageRecord], same: Iterable[Sequence[int]]) -> Settled:
    """Keeps each picture once.

    The same pixels under two labels are a conflict, and all of them go. Under one label the first
    stays; under two groups, the groups become one, so that no picture of one lesion can end up in
    two splits. Where splits are given, the first of the weightiest split stays (see `splits`).

    Args:
        records: all images, sorted by id.
        same: rows of images of equal pixels, ascending.
    """
    groups = _Joined()
    rejections: dict[int, Rejection] = {}
    for rows in same:
        members = [records[row] for row in rows]
        if len({member.label for member in members}) > 1:
            rejections.update(_conflict(rows, members))
        else:
            rejections.update(_repeated(rows, members))
            for member in members:
                groups.join(members[0].group, member.group)
    return Settled(rejections, groups.names())


def _suspects(traces: Traces) -> set[int]:
    """Rows that may have the pixels of another row."""
    found: set[int] = set()
    by_scale = [
        np.flatnonzero(traces.good & (traces.scale == scale)) for scale in np.unique(traces.scale)
    ]
    for rows in by_scale:
        _, which, counts = np.unique(traces.probe[rows], return_inverse=True, return_counts=True)
        found.update(rows[counts[which] > 1].tolist())
    # Probes of two ways to decode cannot be compared, but perceptual hashes hardly differ.
    for some, others in itertools.combinations(by_scale, 2):
        if len(some) * len(others) > MOST_COMPARISONS:
            found.update(some.tolist(), others.tolist())
            continue
        for row in some:
            bits = np.bitwise_count(traces.perceptual[others] ^ traces.perceptual[row])
            if len(close := others[bits <= CLOSE_BITS]):
                found.update([int(row), *close.tolist()])
    return found


def _conflict(rows: Sequence[int], members: Sequence[ImageRecord]) -> dict[int, Rejection]:
    labels = ", ".join(sorted({member.label for member in members}))
    files = ", ".join(member.file for member in members)
    detail = f"the same pixels under labels {labels}: {files}"
    return {
        row: Rejection(member.file, "label_conflict", detail)
        for row, member in zip(rows, members, strict=True)
    }


def _repeated(rows: Sequence[int], members: Sequence[ImageRecord]) -> dict[int, Rejection]:
    by_row = dict(zip(rows, members, strict=True))
    kept = min(by_row, key=lambda row: (_weight(by_row[row].split), row))
    detail = f"the same pixels as {by_row[kept].file}"
    rejections = {}
    for row, member in by_row.items():
        if member.split != by_row[kept].split:
            leak = f"{detail}, which is in split {by_row[kept].split}"
            rejections[row] = Rejection(member.file, LEAK, leak)
        elif row != kept:
            rejections[row] = Rejection(member.file, "duplicate", detail)
    return rejections


def _weight(split: str | None) -> int:
    return 0 if split is None else WEIGHTIEST.index(split)


class _Joined:
    """Disjoint sets of groups, each named by its first member in the alphabet."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def name(self, group: str) -> str:
        while (parent := self._parent.get(group, group)) != group:
            group = parent
        return group

    def join(self, first: str, second: str) -> None:
        low, high = sorted((self.name(first), self.name(second)))
        if low != high:
            self._parent[high] = low

    def names(self) -> dict[str, str]:
        return {group: self.name(group) for group in self._parent}
