"""Finds images of different splits that look the same: re-encoded, resized, flipped or turned.

Groups keep the images of one lesion together. If groups are unknown or wrong, near-duplicates leak
from training into test. They are reported, not removed, because only a person can judge them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

from tfrecords_tools.csv_writing import spreadsheet_csv
from tfrecords_tools.images.perceptual_hash import GREY_SIDE, SYMMETRIES, near_pairs, transformed
from tfrecords_tools.records.schema import TRAIN
from tfrecords_tools.sources import Finding
from tfrecords_tools.text import abbreviate

MIN_CORRELATION = 0.97
"""Least correlation of the two images in grey. On HAM10000, all pairs with one hash and a higher
correlation show one lesion; copies re-encoded at quality 30 or shrunk to half have 0.99."""
MOST = Fraction(1, 2)
"""A class leaks if more than this part of its images in a split look like training images."""
MAX_CANDIDATES = 20_000
"""Most pairs to compare, divided among the pairs of splits; a data set of equal images has too
many."""
NEAR_DUPLICATES_COLUMNS = (
    *("split", "image_id", "other_split", "other_image_id", "symmetry", "correlation"),
)


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """Two images that look alike.

    Attributes:
        row, other: of the two images.
        symmetry: of `SYMMETRIES`: it makes the second look like the first.
        correlation: of both in grey, at 32x32 pixels.
    """

    row: int
    other: int
    symmetry: str
    correlation: float


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """The pairs found, the most alike first, and whether the search was cut short."""

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
        greys: function that returns `small_grey` for each of the given rows.
    """
    of_pairs = [
        _candidates(members[one], members[other], perceptual)
        for one, other in itertools.combinations(members, 2)
    ]
    # In turns, so that a pair of splits with many candidates leaves room for the others.
    in_turns = itertools.chain.from_iterable(itertools.zip_longest(*of_pairs))
    candidates = list(itertools.islice(filter(None, in_turns), MAX_CANDIDATES + 1))
    cut_short = len(candidates) > MAX_CANDIDATES
    del candidates[MAX_CANDIDATES:]
    rows = sorted({row for one, other, _ in candidates for row in (one, other)})
    pictures = dict(zip(rows, greys(rows), strict=True))
    found: dict[tuple[int, int], NearDuplicate] = {}
    for one, other, symmetry in candidates:
        likeness = _likeness(pictures[one], turned(pictures[other], symmetry))
        known = found.get((one, other))
        # A symmetric image also looks like its flipped copy, so the best symmetry is reported.
        if likeness >= MIN_CORRELATION and (known is None or likeness > known.correlation):
            found[one, other] = NearDuplicate(one, other, symmetry, likeness)
    pairs = sorted(found.values(), key=lambda pair: (-pair.correlation, pair.row, pair.other))
    return NearDuplicates(tuple(pairs), cut_short)


def small_grey(image: Image.Image) -> np.ndarray:
    """Returns the image in grey, shrunk: float32[32, 32]."""
    grey = image.convert("L").resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX)
    return np.asarray(grey, np.float32)


def look_alike_findings(
    found: NearDuplicates, members: Mapping[str, Sequence[int]], labels: Sequence[str]
) -> Iterator[Finding]:
    """Names the classes most of whose held-out images in a split look like training images.

    Args:
        found: pairs across splits.
        members: rows of each split.
        labels: class of each row.
    """
    split_of = {row: split for split, rows in members.items() for row in rows}
    leaked = {
        row
        for pair in found.pairs
        for row, other in ((pair.row, pair.other), (pair.other, pair.row))
        if split_of[row] != TRAIN == split_of[other]
    }
    texts = []
    for split, rows in members.items():
        totals = Counter(labels[row] for row in rows)
        alike = Counter(labels[row] for row in leaked.intersection(rows))
        texts += [
            f"{label} ({alike[label]:,} of {totals[label]:,} in {split})"
            for label in sorted(alike)
            if alike[label] > MOST * totals[label]
        ]
    if texts:
        yield Finding(
            "look_alikes",
            f"{'class' if len(texts) == 1 else 'classes'} {abbreviate(texts)} with mostly images "
            "that look like training images: nothing can be measured on copies; give the groups "
            "of the lesions, or other images",
        )


def near_duplicates_csv(
    found: NearDuplicates, image_ids: Sequence[str], split_of: Mapping[int, str]
) -> bytes:
    """Returns the pairs as a UTF-8 CSV with `NEAR_DUPLICATES_COLUMNS`, the most alike first."""
    rows = (
        (
            *(split_of[pair.row], image_ids[pair.row], split_of[pair.other], image_ids[pair.other]),
            *(pair.symmetry, f"{pair.correlation:.4f}"),
        )
        for pair in found.pairs
    )
    return spreadsheet_csv(NEAR_DUPLICATES_COLUMNS, rows)


def _candidates(
    some: Sequence[int], others: Sequence[int], perceptual: np.ndarray
) -> Iterator[tuple[int, int, str]]:
    """Yields pairs of rows whose hashes are close under a symmetry."""
    hashes, other_hashes = perceptual[list(some)], perceptual[list(others)]
    for symmetry in SYMMETRIES:
        for i, j in near_pairs(hashes, transformed(other_hashes, symmetry)):
            yield int(some[i]), int(others[j]), symmetry


def turned(picture: np.ndarray, symmetry: str) -> np.ndarray:
    """Returns a picture [n, n] under one of `SYMMETRIES`."""
    transpose, top_bottom, left_right = SYMMETRIES[symmetry]
    picture = picture.T if transpose else picture
    return picture[:: -1 if top_bottom else 1, :: -1 if left_right else 1]


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Computes Pearson's correlation of two pictures; 0 if one of them is flat."""
    x, y = one.ravel() - one.mean(), other.ravel() - other.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale else 0.0


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the correlation, and 1 for two flat pictures of one grey."""
    return correlation(one, other) or float(np.array_equal(one, other))
