"""Images of different splits that look the same: re-encoded, resized, flipped or turned copies.

Groups tell which images belong together; where they are unknown or wrong, near-duplicates are what
leaks from training into test. They are reported, not removed: only a person knows.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image

from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.images.perceptual_hash import SIDE, SYMMETRIES, near_pairs, transformed

MIN_CORRELATION = 0.97
"""Least correlation of the two pictures in grey. On HAM10000 every pair of one hash above it shows
one lesion; copies that were re-encoded at quality 30 or shrunk to half have 0.99."""
MAX_CANDIDATES = 20_000
"""Pairs that are looked at: a data set of one picture would have more than anyone can use. Each two
splits have a fair share of them."""
Item = TypeVar("Item")
COLUMNS = ("split", "image_id", "other_split", "other_image_id", "symmetry", "correlation")


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """Two images that look alike.

    Attributes:
        row: of the one.
        other: row of the other.
        symmetry: what makes the other look like the one; one of `perceptual.SYMMETRIES`.
        correlation: of both in grey, at 32x32 pixels.
    """

    row: int
    other: int
    symmetry: str
    correlation: float


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """All that were found, sorted by correlation, and whether the search was cut short."""

    pairs: tuple[NearDuplicate, ...]
    cut_short: bool


def find_across_splits(
    members: Mapping[str, Sequence[int]],
    perceptual: np.ndarray,
    greys: Callable[[Sequence[int]], Iterable[np.ndarray]],
) -> NearDuplicates:
    """Finds near-duplicates whose two images are in different splits.

    Args:
        members: rows of each split.
        perceptual: uint64[n], hash of each row.
        greys: gives `small_grey` of each of some rows.
    """
    of_pairs = [
        _candidates(members[one], members[other], perceptual)
        for one, other in itertools.combinations(members, 2)
    ]
    candidates = list(itertools.islice(_in_turns(of_pairs), MAX_CANDIDATES + 1))
    cut_short = len(candidates) > MAX_CANDIDATES
    del candidates[MAX_CANDIDATES:]
    rows = sorted({row for one, other, _ in candidates for row in (one, other)})
    pictures = dict(zip(rows, greys(rows), strict=True))
    found: dict[tuple[int, int], NearDuplicate] = {}
    for one, other, symmetry in candidates:
        correlation = _correlation(pictures[one], _turned(pictures[other], symmetry))
        known = found.get((one, other))
        # A symmetric picture is like its flipped copy, too: the best of all symmetries is told.
        if correlation >= MIN_CORRELATION and (known is None or correlation > known.correlation):
            found[one, other] = NearDuplicate(one, other, symmetry, correlation)
    pairs = sorted(found.values(), key=lambda pair: (-pair.correlation, pair.row, pair.other))
    return NearDuplicates(tuple(pairs), cut_short)


def small_grey(image: Image.Image) -> np.ndarray:
    """The picture in grey, shrunk: float32[32, 32]."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def near_duplicates_csv(
    found: NearDuplicates, image_ids: Sequence[str], split_of: Mapping[int, str]
) -> bytes:
    """The pairs as a UTF-8 CSV with the columns `COLUMNS`, the most alike first.

    Args:
        found: the pairs.
        image_ids: by row.
        split_of: by row.
    """
    rows = []
    for pair in found.pairs:
        one = (split_of[pair.row], image_ids[pair.row])
        other = (split_of[pair.other], image_ids[pair.other])
        rows.append((*one, *other, pair.symmetry, f"{pair.correlation:.4f}"))
    return csv_bytes(COLUMNS, rows)


def _candidates(
    some: Sequence[int], others: Sequence[int], perceptual: np.ndarray
) -> Iterator[tuple[int, int, str]]:
    """Rows of two splits that have close hashes, and what brings them together."""
    ours, theirs = perceptual[list(some)], perceptual[list(others)]
    for symmetry in SYMMETRIES:
        for i, j, _ in near_pairs(ours, transformed(theirs, symmetry)):
            yield int(some[i]), int(others[j]), symmetry


def _in_turns(parts: Iterable[Iterator[Item]]) -> Iterator[Item]:
    """One item of each part, again and again, until all have ended."""
    parts = list(parts)
    while parts:
        left = []
        for part in parts:
            for item in part:
                yield item
                left.append(part)
                break
        parts = left


def _turned(picture: np.ndarray, symmetry: str) -> np.ndarray:
    transpose, top_bottom, left_right = SYMMETRIES[symmetry]
    picture = picture.T if transpose else picture
    return picture[:: -1 if top_bottom else 1, :: -1 if left_right else 1]


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; 1 for two flat pictures of one grey, 0 where just one is flat."""
    x, y = one.ravel() - one.mean(), other.ravel() - other.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    if scale == 0:
        return float(np.array_equal(one, other))
    return float(x @ y) / scale
