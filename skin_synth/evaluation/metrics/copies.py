"""Copies: how near synthetic images are to training images and to each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from skin_synth.evaluation.by_class import ByClass, in_class_shares
from skin_synth.evaluation.metrics.nearest import Neighbours
from skin_synth.evaluation.statistics.significance import precedence
from tfrecords_tools.errors import InputError

COPY_NEIGHBOURS = 3
"""Number of nearest training images for the relative distance of an image."""
FEW_HELD_OUT = 100
"""With fewer held-out images, training images are the yardstick, each compared without its own
group."""
HELD_OUT, LEFT_OUT = "held-out images", "training images of other groups"
"""The two yardsticks: real images with which the distances of synthetic images are compared."""
COPY_PERCENTILE = 0.01
"""Share of real images below the threshold of copies."""
DUPLICATE_DISTANCE = 0.5
"""Two synthetic images nearer than this, in grey levels, count as the same."""
EQUAL_SHARE = 0.005
"""Distances of at most this share of the median distance of real images count as 0 (equal
images)."""
MOST_DISTANCES = 1 << 21
"""Most distances in memory when many neighbours of each image are searched."""

Search = Callable[[np.ndarray, int], Neighbours]
"""Function that finds neighbours, from int[n], rows of images, and their number for each image."""


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The first percentile of the distances of real images: one of these distances.

    Real images that equal a reference image do not show how near new images are, so they are left
    out.

    Attributes:
        value: the distance.
        rank: its rank among `others` distances, from the smallest.
        same: real images that are equal to a reference image.
    """

    value: float
    rank: int
    others: int
    same: int

    @classmethod
    def of(cls, yardstick: np.ndarray) -> Threshold:
        """Takes the percentile of float[m], m of 1 or more."""
        new = yardstick[yardstick > EQUAL_SHARE * np.median(yardstick)]
        new = new if len(new) else yardstick
        rank = max(1, int(COPY_PERCENTILE * len(new)))
        value = float(np.partition(new, rank - 1)[rank - 1])
        return cls(value, rank, len(new), len(yardstick) - len(new))

    def p_value(
        self, below: int, count: int, *, paired: bool = False, mutual: bool = False
    ) -> float:
        """Computes the p-value of `below` of `count` distances, see `significance.precedence`.

        Args:
            below: distances below the threshold.
            count: all distances.
            paired: whether these distances are within one set. Two near images then give two small
                distances, so each counts half.
            mutual: the same for the real distances.
        """
        half, real_half = 1 + paired, 1 + mutual
        rank, others = -(-self.rank // real_half), max(self.others // real_half, 1)
        return precedence(below // half, count // half, rank, others)


@dataclasses.dataclass(frozen=True)
class Nearness:
    """Distances of synthetic and of real images, and a test.

    Attributes:
        n: synthetic images.
        n_yardstick: real images with which they are compared.
        threshold: see `Threshold`.
        rank: see `Threshold`.
        near: synthetic images with a distance below the threshold.
        distinct: reference images to which these are near.
        same: synthetic images equal to a reference image.
        yardstick_same: real images equal to a reference image.
        share_below: share of near images among all synthetic images.
        share_expected: the share that is expected if the images are as new as the real ones.
        p_value: probability that this many or more are below by chance, see
            `significance.precedence`. Images near to the same reference image are not independent
            and count once; distances within one set count half.
    """

    n: int
    n_yardstick: int
    synthetic_median: float
    synthetic_minimum: float
    yardstick_median: float
    threshold: float
    rank: int
    near: int
    distinct: int
    same: int
    yardstick_same: int
    share_below: float
    share_expected: float
    p_value: float


def compare(
    synthetic: np.ndarray,
    yardstick: np.ndarray,
    target: np.ndarray,
    *,
    paired: bool = False,
    mutual: bool = False,
) -> Nearness:
    """Tests whether synthetic images are nearer to something than real images are.

    Args:
        synthetic: float[n], distances of synthetic images.
        yardstick: float[m], the same distances of real images.
        target: int[n], the nearest reference image of each synthetic image.
        paired: see `Threshold.p_value`.
        mutual: see `Threshold.p_value`.

    Raises:
        InputError: no distance on one side.
    """
    if not len(synthetic) or not len(yardstick):
        raise InputError(
            f"distances are needed on both sides, got {len(synthetic)} and {len(yardstick)}"
        )
    n, threshold = len(synthetic), Threshold.of(yardstick)
    near = synthetic < threshold.value
    distinct = len(np.unique(target[near]))
    hits = int(near.sum()) if paired else distinct
    return Nearness(
        n=n,
        n_yardstick=len(yardstick),
        synthetic_median=float(np.median(synthetic)),
        synthetic_minimum=float(np.min(synthetic)),
        yardstick_median=float(np.median(yardstick)),
        threshold=threshold.value,
        rank=threshold.rank,
        near=int(near.sum()),
        distinct=distinct,
        same=int((synthetic <= EQUAL_SHARE * np.median(yardstick)).sum()),
        yardstick_same=threshold.same,
        share_below=float(near.mean()),
        share_expected=threshold.rank / (threshold.others + 1),
        p_value=threshold.p_value(hits, n, paired=paired, mutual=mutual),
    )


def neighbours_of_two_groups(search: Search, count: int, groups: Sequence[str]) -> Neighbours:
    """Finds the nearest reference images, at least one from another group than the nearest.

    If all of the nearest are photographs of one lesion, the nearest one of another lesion replaces
    the last. Otherwise a copy of a lesion with many photographs would look like an image that is
    near to many lesions.

    Args:
        search: finds neighbours.
        count: number of images.
        groups: of the reference images.

    Returns:
        `COPY_NEIGHBOURS` of each; the last is infinitely far if there is no other group.
    """
    found = search(np.arange(count), COPY_NEIGHBOURS)
    codes = np.unique(groups, return_inverse=True)[1]
    full = np.isfinite(found.distance[:, -1])
    alone = np.flatnonzero(full & (codes[found.index] == codes[found.index[:, :1]]).all(axis=1))
    enough = int(np.bincount(codes).max()) + 1
    step = max(1, MOST_DISTANCES // enough)
    for rows in (alone[start : start + step] for start in range(0, len(alone), step)):
        wide = search(rows, enough)
        other = codes[wide.index] != codes[wide.index[:, :1]]
        distance = np.where(other, wide.distance, np.inf)
        column = distance.argmin(axis=1)
        found.index[rows, -1] = wide.index[np.arange(len(rows)), column]
        found.distance[rows, -1] = distance.min(axis=1)
    return found


def relative(found: Neighbours, groups: Sequence[str]) -> np.ndarray:
    """Divides the distance to the nearest image by that to the nearest one of another group.

    A copy is much nearer to one lesion than to all others; a blurred or typical image is near to
    many (the idea of Carlini et al., "Extracting training data from diffusion models", USENIX
    Security 2023, equation 1).

    Args:
        found: the neighbours of each image, see `neighbours_of_two_groups`.
        groups: of the reference images.

    Returns:
        float64[n], 0 to 1: 0 for a copy, 1 if there is no other group.
    """
    codes = np.unique(groups, return_inverse=True)[1][found.index]
    next_one = np.where(codes != codes[:, :1], found.distance, np.inf).min(axis=1).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found.distance[:, 0] / next_one
    return np.where((next_one > 0) & np.isfinite(next_one), ratio, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class NeighbourDistances:
    """Distances of some images to their nearest training images.

    Attributes:
        absolute: float[n], distance to the nearest one.
        relative: float[n], see `relative`.
        target: int[n], the nearest training image.
        labels: int[n].
    """

    absolute: np.ndarray
    relative: np.ndarray
    target: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, found: Neighbours, groups: Sequence[str], labels: np.ndarray) -> NeighbourDistances:
        """Takes the distances from neighbours among training images of these groups."""
        return cls(found.distance[:, 0], relative(found, groups), found.index[:, 0], labels)

    def where(self, chosen: np.ndarray) -> NeighbourDistances:
        """Returns some of the images: bool[n] or int[m]."""
        return NeighbourDistances(*(part[chosen] for part in vars(self).values()))

    def finite(self) -> NeighbourDistances:
        """Drops images without any neighbour."""
        return self.where(np.isfinite(self.absolute))


@dataclasses.dataclass(frozen=True)
class NearInBoth:
    """Images below both thresholds: near, and much nearer to one lesion than to others.

    Attributes:
        near: synthetic images.
        distinct: their nearest training images.
        p_value: the larger one of the two p-values.
    """

    near: int
    distinct: int
    p_value: float


@dataclasses.dataclass(frozen=True)
class CopyFigures:
    """Nearness of synthetic images to training images.

    Attributes:
        yardstick: `HELD_OUT` or `LEFT_OUT`, the real images of the comparison.
        absolute: by the distance to the nearest image.
        relative: by `relative`.
        both: images near in both ways, on which the verdict depends.
    """

    yardstick: str
    absolute: Nearness
    relative: Nearness
    both: NearInBoth


def compare_copies(
    synthetic: NeighbourDistances,
    held_out: NeighbourDistances,
    left_out: NeighbourDistances,
    class_names: Sequence[str],
    matched: np.ndarray,
) -> ByClass[CopyFigures | None]:
    """Compares the distances of the whole set and of each class.

    Args:
        synthetic: of all synthetic images.
        held_out: of held-out real images.
        left_out: of training images, with their own group left out.
        class_names: in the order of the labels.
        matched: indices of as many synthetic images of each class as there are held-out ones.
    """

    def figures(label: int | None) -> CopyFigures | None:
        fake, real, other = (
            each if label is None else each.where(each.labels == label)
            for each in (synthetic, held_out, left_out)
        )
        if label is None:
            fake = fake.where(matched)
        name, yardstick = HELD_OUT, real
        if label is None:  # in the mix of classes of what it judges, because classes differ
            counts = np.bincount(fake.labels.astype(np.int64), minlength=len(class_names))
            other = other.where(in_class_shares(other.labels, counts))
        if len(real.labels) < FEW_HELD_OUT and len(other.labels) > len(real.labels):
            name, yardstick = LEFT_OUT, other
        if not len(fake.labels) or not len(yardstick.labels):
            return None
        return CopyFigures(
            name,
            compare(fake.absolute, yardstick.absolute, fake.target),
            compare(fake.relative, yardstick.relative, fake.target),
            _near_in_both(fake, yardstick),
        )

    return ByClass.of(class_names, figures)


def _near_in_both(fake: NeighbourDistances, yardstick: NeighbourDistances) -> NearInBoth:
    """Counts images near in both ways, and takes the larger p-value of the two tests.

    Under the null, the count near in both ways never exceeds the count near in one, so either
    p-value is valid.
    """
    absolute, relative = Threshold.of(yardstick.absolute), Threshold.of(yardstick.relative)
    near = (fake.absolute < absolute.value) & (fake.relative < relative.value)
    distinct = len(np.unique(fake.target[near]))
    p_value = max(threshold.p_value(distinct, len(near)) for threshold in (absolute, relative))
    return NearInBoth(int(near.sum()), distinct, p_value)


def sample_each_class(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draws at most this many rows of each class; returns them in order: int64[m]."""
    order = rng.permutation(len(labels))
    drawn = [order[labels[order] == label][:most] for label in np.unique(labels)]
    return np.sort(np.concatenate([order[:0], *drawn]))
