"""Real images that show the same picture, and the lesions that are in two splits.

If the groups of a data set are forgotten, a photograph is in training and its neighbour is in test.
Then real test images are near to training images, and a copy is not nearer than they are: the leak
hides it. So before any comparison the images are examined: images that look the same count as one
lesion, and a lesion that is in training is left out of all that is held out.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from PIL import Image
from scipy import sparse

from skin_synth.data.pipeline import LabelledImages, load_real_split
from skin_synth.evaluation.cache import Cache
from skin_synth.provenance import content_hash
from tfrecords_tools.build_steps.near_duplicates import (
    MIN_CORRELATION,
    correlation,
    small_grey,
    turned,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.perceptual_hash import (
    SYMMETRIES,
    near_pairs,
    perceptual_hash,
    transformed,
)
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import TEST, TRAIN, VALIDATION

LEAST_LIKENESS = 0.9
"""Least correlation of two images of one picture after what all images of the class share is
subtracted. Images of a plain class correlate only by what they share."""
LEAST_DETAIL = 2.0
"""Grey levels (RMS) that must remain after this subtraction; less is noise."""
FEWEST_OTHERS = 5
"""Least number of other images of a class that show what its images share."""
MOST_CANDIDATES = 20_000
SHOWN_PAIRS = 20
"""Number of pairs that a report names."""


@dataclasses.dataclass(frozen=True)
class LookAlike:
    """Two real images of one picture, by split and id."""

    split: str
    image_id: str
    other_split: str
    other_image_id: str

    def __str__(self) -> str:
        return f"{self.image_id} ({self.split}) and {self.other_image_id} ({self.other_split})"


@dataclasses.dataclass(frozen=True)
class Leak:
    """What several splits share, and what was left out of the held-out images for it.

    Attributes:
        groups_in_train_and_test: groups of the data set with images in both.
        look_alikes_across_splits: pairs of images of different splits that show one picture.
        look_alikes: the first of these pairs.
        left_out_of_test: by class, test images of lesions that are in training.
        left_out_of_validation: the same of validation, all classes.
        repeats_in_test: test images left out, because they show the picture of another one that
            the data set takes for another lesion.
        search_cut_short: whether so many images look alike that not all were compared.
    """

    groups_in_train_and_test: int = 0
    look_alikes_across_splits: int = 0
    look_alikes: tuple[LookAlike, ...] = ()
    left_out_of_test: tuple[int, ...] = ()
    left_out_of_validation: int = 0
    repeats_in_test: int = 0
    search_cut_short: bool = False


NO_LEAK = Leak()


@dataclasses.dataclass(frozen=True, eq=False)
class RealImages:
    """The splits of a data set, with a group for each lesion and without its leaks.

    Attributes:
        train: all training images.
        validation: those of lesions that are not in training; None without the split.
        test: likewise.
        leak: what was left out.
    """

    train: LabelledImages
    validation: LabelledImages | None
    test: LabelledImages | None
    leak: Leak


def load_real_images(data_dir: str | os.PathLike[str], cache: Cache | None = None) -> RealImages:
    """Reads the splits of a data set and examines them, see `without_leaks`."""
    return without_leaks(_load(data_dir), cache)


def load_joined(
    data_dir: str | os.PathLike[str], cache: Cache | None = None
) -> dict[str, LabelledImages]:
    """Reads the splits of a data set; images of one picture get one group, and none is left out."""
    splits = _load(data_dir)
    images = _Images.of(splits)
    groups = _joined(images.groups, _cached_pairs(images, cache)[0])
    return {
        name: dataclasses.replace(split, groups=tuple(groups[images.rows[name]]))
        for name, split in splits.items()
    }


def _load(data_dir: str | os.PathLike[str]) -> dict[str, LabelledImages]:
    there = read_info(data_dir).splits
    names = [name for name in (TRAIN, VALIDATION, TEST) if name in there]
    return {name: load_real_split(data_dir, name) for name in names}


def without_leaks(splits: Mapping[str, LabelledImages], cache: Cache | None = None) -> RealImages:
    """Examines the splits of a data set; `cache` keeps the pairs found.

    Raises:
        InputError: all test images show lesions that are in training.
    """
    images = _Images.of(splits)
    pairs, cut_short = _cached_pairs(images, cache)
    joined = _joined(images.groups, pairs)
    groups = {name: joined[rows] for name, rows in images.rows.items()}
    new = {name: ~np.isin(groups[name], groups[TRAIN]) for name in splits}
    first = np.isin(np.arange(len(joined)), _repeats(images, pairs), invert=True)
    kept = {}
    for name, split in splits.items():
        stays = np.ones(len(split), bool) if name == TRAIN else new[name]
        if name == TEST:
            stays = stays & first[images.rows[TEST]]
        of_lesions = dataclasses.replace(split, groups=tuple(groups[name]))
        kept[name] = of_lesions if stays.all() else of_lesions.subset(stays)
    if TEST in kept and not len(kept[TEST]):
        raise InputError(
            "all test images show lesions that are also in the training split, so nothing is held "
            "out: build the data set again with the groups of its lesions (--group_column)"
        )
    across = [(i, j) for i, j in pairs.tolist() if images.split_of[i] != images.split_of[j]]
    test, validation = splits.get(TEST), splits.get(VALIDATION)
    leak = Leak(
        groups_in_train_and_test=len({*splits[TRAIN].groups} & {*(test.groups if test else ())}),
        look_alikes_across_splits=len(across),
        look_alikes=tuple(images.look_alike(i, j) for i, j in across[:SHOWN_PAIRS]),
        left_out_of_test=tuple(test.subset(~new[TEST]).class_counts.tolist()) if test else (),
        left_out_of_validation=int((~new[VALIDATION]).sum()) if validation else 0,
        repeats_in_test=int(new[TEST].sum()) - len(kept[TEST]) if test else 0,
        search_cut_short=cut_short,
    )
    return RealImages(kept[TRAIN], kept.get(VALIDATION), kept.get(TEST), leak)


@dataclasses.dataclass(frozen=True, eq=False)
class _Images:
    """Images of all splits, in order; `rows` are those of each split."""

    images: Sequence[np.ndarray]
    labels: np.ndarray
    groups: Sequence[str]
    ids: Sequence[str]
    split_of: Sequence[str]
    rows: Mapping[str, slice]

    @classmethod
    def of(cls, splits: Mapping[str, LabelledImages]) -> _Images:
        parts, chained = list(splits.values()), itertools.chain.from_iterable
        ends = np.cumsum([0, *map(len, parts)]).tolist()
        return cls(
            list(chained(part.images for part in parts)),
            np.concatenate([part.labels for part in parts]),
            list(chained(part.groups for part in parts)),
            list(chained(part.image_ids for part in parts)),
            list(chained([name] * len(part) for name, part in splits.items())),
            {name: slice(*ends[row : row + 2]) for row, name in enumerate(splits)},
        )

    def look_alike(self, row: int, other: int) -> LookAlike:
        """Returns a pair by names."""
        names = (each for i in (row, other) for each in (self.split_of[i], self.ids[i]))
        return LookAlike(*names)


def _cached_pairs(images: _Images, cache: Cache | None) -> tuple[np.ndarray, bool]:
    def search() -> dict[str, np.ndarray]:
        pairs, cut_short = _pairs(images)
        return {"pairs": np.array(pairs, np.int64).reshape(-1, 2), "cut_short": np.array(cut_short)}

    if cache is None:
        found = search()
    else:
        whole = content_hash(*(image[None] for image in images.images)) if images.images else ""
        found = cache.arrays("look_alikes", (whole, content_hash(images.labels)), search)
    return found["pairs"], bool(found["cut_short"])


def _pairs(images: _Images) -> tuple[list[tuple[int, int]], bool]:
    """Finds pairs of rows that show one picture, and whether the search was cut short."""
    small = [Image.fromarray(image) for image in images.images]
    hashes = np.array([perceptual_hash(image) for image in small], np.uint64)
    candidates = list(itertools.islice(_candidates(hashes), MOST_CANDIDATES + 1))
    cut_short = len(candidates) > MOST_CANDIDATES
    rows = sorted({row for i, j, _ in candidates for row in (i, j)})
    greys = {row: small_grey(small[row]) for row in rows}
    alike: dict[tuple[int, int], list[str]] = {}
    for i, j, symmetry in candidates[:MOST_CANDIDATES]:
        if correlation(greys[i], turned(greys[j], symmetry)) >= MIN_CORRELATION:
            alike.setdefault((i, j), []).append(symmetry)
    shared = _Shared(images, small, alike)
    found = [
        pair
        for pair, symmetries in alike.items()
        if np.array_equal(images.images[pair[0]], images.images[pair[1]])
        or any(
            _same_picture(greys[pair[0]], greys[pair[1]], each, shared.of(pair[0]))
            for each in symmetries
        )
    ]
    return sorted(found), cut_short


class _Shared:
    """What images of a class share: the mean of those that do not look like the pair."""

    def __init__(
        self,
        images: _Images,
        small: Sequence[Image.Image],
        alike: Mapping[tuple[int, int], object],
    ) -> None:
        self.labels, self.small = images.labels, small
        self.component = _components(len(small), alike)
        self.means: dict[tuple[int, int], np.ndarray] = {}

    def of(self, row: int) -> np.ndarray:
        """Returns the mean for an image: float32[32, 32]."""
        key = int(self.labels[row]), int(self.component[row])
        if key not in self.means:
            of_class = np.flatnonzero(self.labels == key[0])
            others = of_class[self.component[of_class] != key[1]]
            rows = others if len(others) >= FEWEST_OTHERS else of_class
            rows = rows[:: max(1, len(rows) // 200)]
            mean = np.mean([small_grey(self.small[each]) for each in rows], axis=0)
            self.means[key] = mean
        return self.means[key]


def _same_picture(one: np.ndarray, other: np.ndarray, symmetry: str, shared: np.ndarray) -> bool:
    """Returns whether two images share more than all images of the class."""
    rest = _without(one, shared), turned(_without(other, shared), symmetry)
    detail = min(float(part.std()) for part in rest)
    return detail >= LEAST_DETAIL and correlation(*rest) >= LEAST_LIKENESS


def _without(image: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Subtracts a shared picture with the contrast that it has in the image."""
    x, y = image - image.mean(), shared - shared.mean()
    scale = float((x * y).sum() / max(float((y * y).sum()), 1e-9))
    return x - scale * y


def _candidates(hashes: np.ndarray) -> Iterator[tuple[int, int, str]]:
    """Yields pairs of rows, the smaller first, whose hashes are close under a symmetry."""
    for symmetry in SYMMETRIES:
        for i, j in near_pairs(hashes, transformed(hashes, symmetry)):
            if i < j:
                yield i, j, symmetry


def _components(count: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Returns the first row that each row is joined to: int64[count]."""
    rows, others = np.array([*pairs], np.int64).reshape(-1, 2).T
    joined = sparse.coo_array((np.ones(len(rows)), (rows, others)), shape=(count, count))
    _, component = sparse.csgraph.connected_components(joined, directed=False)
    _, first = np.unique(component, return_index=True)
    return first[component]


def _joined(groups: Sequence[str], pairs: np.ndarray) -> np.ndarray:
    """Returns the groups; those with images of one picture get one of their names: str[n].

    It is the least one in the order of text, so that it does not depend on the order of the images.
    """
    codes = {group: code for code, group in enumerate(sorted({*groups}))}
    names = list(codes)
    joined = {(codes[groups[i]], codes[groups[j]]): None for i, j in pairs.tolist()}
    component = _components(len(names), joined)
    return np.array([names[component[codes[group]]] for group in groups], object)


def _repeats(images: _Images, pairs: np.ndarray) -> np.ndarray:
    """Returns rows that show the picture of an earlier row of their split and another group."""
    found = [
        j
        for i, j in pairs.tolist()
        if images.groups[i] != images.groups[j] and images.split_of[i] == images.split_of[j]
    ]
    return np.unique(np.array(found, np.int64))
