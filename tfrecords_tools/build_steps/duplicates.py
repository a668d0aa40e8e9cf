"""Finds images with equal pixels, and keeps one of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from tfrecords_tools.build_steps.splits import LEAK, SPLIT_PRECEDENCE
from tfrecords_tools.sources import ImageRecord, Rejection
from tfrecords_tools.text import abbreviate

MAX_SCALE_BITS = 10
"""Perceptual hashes of one image, decoded at two scales, differ in at most this many bits."""
PLACEHOLDER = "placeholder"
"""Reason to reject an image that shows no patient: many groups have its pixels."""
MAX_GROUPS_OF_A_PICTURE = 3
"""Above this number of groups, equal pixels are a picture such as "image not available"."""
MAX_COMPARISONS = 10**9
"""Above this number of candidates, reading all images again takes less time."""


@dataclasses.dataclass(frozen=True)
class ImageHashes:
    """Hashes that find images with equal pixels: one row per image.

    Attributes:
        probe, perceptual, scale: uint64[n], uint64[n], uint8[n], as in `PreparedImage`.
        good: bool[n], whether the image was accepted.
    """

    probe: np.ndarray
    perceptual: np.ndarray
    scale: np.ndarray
    good: np.ndarray

    @staticmethod
    def empty(count: int) -> ImageHashes:
        """Makes room for `count` images."""
        dtypes = (np.uint64, np.uint64, np.uint8, np.bool_)
        return ImageHashes(*(np.zeros(count, dtype) for dtype in dtypes))


@dataclasses.dataclass(frozen=True)
class ResolvedDuplicates:
    """The decisions about duplicates.

    Attributes:
        rejections: of the images that are dropped, by row.
        joined: new name of each group that was joined to others: the first name in the alphabet.
    """

    rejections: Mapping[int, Rejection]
    joined: Mapping[str, str]


def find_duplicates(
    hashes: ImageHashes, pixels_hashes: Callable[[Sequence[int]], Iterable[bytes]]
) -> list[list[int]]:
    """Finds images with equal pixels: lists of two or more rows, ascending.

    Images that may be equal by these hashes are compared by the hash of all pixels.
    """
    rows = sorted(_candidates(hashes))
    same: dict[bytes, list[int]] = defaultdict(list)
    for row, pixels in zip(rows, pixels_hashes(rows), strict=True):
        same[pixels].append(row)
    return [members for members in same.values() if len(members) > 1]


def resolve_duplicates(
    records: Sequence[ImageRecord], same: Iterable[Sequence[int]]
) -> ResolvedDuplicates:
    """Keeps one image of those with equal pixels.

    If more than `MAX_GROUPS_OF_A_PICTURE` groups have them, they show no patient, and all are
    dropped. If they have two labels, this is a conflict, and all are dropped. Otherwise the first
    is kept; if splits are given, the first of the split of highest precedence. Groups with equal
    images become one group, so that one lesion cannot be in two splits. `same` holds rows of equal
    pixels.
    """
    groups = DisjointSet()
    rejections: dict[int, Rejection] = {}
    for rows in same:
        members = [records[row] for row in rows]
        groups_of_picture = {member.group for member in members if member.has_group}
        if len(groups_of_picture) > MAX_GROUPS_OF_A_PICTURE:
            rejections.update(_placeholder(rows, members, len(groups_of_picture)))
        elif len({member.label for member in members}) > 1:
            rejections.update(_conflict(rows, members))
        else:
            rejections.update(_repeated(rows, members))
            for member in members:
                groups.add(member.group)
                groups.merge(members[0].group, member.group)
    sets = [sorted(joined) for joined in groups.subsets()]
    return ResolvedDuplicates(rejections, {name: first for first, *more in sets for name in more})


def _candidates(hashes: ImageHashes) -> set[int]:
    """Returns rows that may have the pixels of another row."""
    found: set[int] = set()
    by_scale = [
        np.flatnonzero(hashes.good & (hashes.scale == scale)) for scale in np.unique(hashes.scale)
    ]
    for rows in by_scale:
        _, which, counts = np.unique(hashes.probe[rows], return_inverse=True, return_counts=True)
        found.update(rows[counts[which] > 1].tolist())
    # Probes of two scales cannot be compared, but perceptual hashes hardly differ.
    for some, others in itertools.combinations(by_scale, 2):
        if len(some) * len(others) > MAX_COMPARISONS:
            found.update(some.tolist(), others.tolist())
            continue
        for row in some:
            bits = np.bitwise_count(hashes.perceptual[others] ^ hashes.perceptual[row])
            if len(close := others[bits <= MAX_SCALE_BITS]):
                found.update([int(row), *close.tolist()])
    return found


def _placeholder(
    rows: Sequence[int], members: Sequence[ImageRecord], groups: int
) -> dict[int, Rejection]:
    files = abbreviate([member.file for member in members])
    detail = f"{groups} groups have these pixels, so that they show no patient: {files}"
    return {
        row: Rejection(member.file, PLACEHOLDER, detail)
        for row, member in zip(rows, members, strict=True)
    }


def _conflict(rows: Sequence[int], members: Sequence[ImageRecord]) -> dict[int, Rejection]:
    labels = ", ".join(sorted({member.label for member in members}))
    files = abbreviate([member.file for member in members])
    detail = f"the same pixels under labels {labels}: {files}"
    return {
        row: Rejection(member.file, "label_conflict", detail)
        for row, member in zip(rows, members, strict=True)
    }


def _repeated(rows: Sequence[int], members: Sequence[ImageRecord]) -> dict[int, Rejection]:
    by_row = dict(zip(rows, members, strict=True))
    splits = (None, *SPLIT_PRECEDENCE)
    kept = min(by_row, key=lambda row: (splits.index(by_row[row].split), row))
    detail = f"the same pixels as {by_row[kept].file}"
    rejections = {}
    for row, member in by_row.items():
        if member.split != by_row[kept].split:
            leak = f"{detail}, which is in split {by_row[kept].split}"
            rejections[row] = Rejection(member.file, LEAK, leak)
        elif row != kept:
            rejections[row] = Rejection(member.file, "duplicate", detail)
    return rejections
