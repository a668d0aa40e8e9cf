"""The figures on copies: how near synthetic images come to training images and to each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from skin_synth.evaluation.memorization import Neighbours
from skin_synth.evaluation.significance import precedence
from tfrecords_tools.errors import InputError

NEIGHBOURS = 3
"""Nearest training images that an image's relative distance is taken from."""
FEW_HELD_OUT = 100
"""Below so many held-out images, training images without their group are the yardstick."""
HELD_OUT, LEFT_OUT = "held-out images", "training images of other groups"
"""What the distances of synthetic images are compared with."""
PERCENTILE = 0.01
DUPLICATE = 0.5
"""Images nearer than so many grey levels are the same."""


@dataclasses.dataclass(frozen=True)
class Nearness:
    """Distances of synthetic images beside those of real images, and a test.

    Attributes:
        n: synthetic images.
        n_yardstick: real images that they are compared with.
        synthetic_median: of the synthetic images' distances.
        synthetic_minimum: of the synthetic images' distances.
        yardstick_median: of the real images' distances.
        threshold: first percentile of the real images' distances, one of them.
        near: synthetic images with a distance below the threshold.
        distinct: reference images that these are near to.
        share_below: their share.
        share_expected: of images that are as new as the real ones.
        p_value: that so many or more are below by chance, see `significance.precedence`; images
            that are near to the same reference image count once, as they are not independent,
            and distances within one set half.
    """

    n: int
    n_yardstick: int
    synthetic_median: float
    synthetic_minimum: float
    yardstick_median: float
    threshold: float
    near: int
    distinct: int
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
    """Are synthetic images nearer to something than real images are?

    Args:
        synthetic: float[n], distances of synthetic images.
        yardstick: float[m], the same distances of real images, m of 1 or more.
        target: int[n], the reference image that each synthetic image is nearest to.
        paired: the synthetic distances are within one set, where two near images make two small
            distances: they count half.
        mutual: the same of the real distances.

    Raises:
        InputError: no distance on one side.
    """
    if not len(synthetic) or not len(yardstick):
        raise InputError(
            f"distances are needed on both sides, got {len(synthetic)} and {len(yardstick)}"
        )
    m, n = len(yardstick), len(synthetic)
    rank = max(1, int(PERCENTILE * m))
    threshold = float(np.partition(yardstick, rank - 1)[rank - 1])
    near = int((synthetic < threshold).sum())
    distinct = len(np.unique(target[synthetic < threshold]))
    half, real_half = 1 + paired, 1 + mutual
    hits = near if paired else distinct
    return Nearness(
        n=n,
        n_yardstick=m,
        synthetic_median=float(np.median(synthetic)),
        synthetic_minimum=float(np.min(synthetic)),
        yardstick_median=float(np.median(yardstick)),
        threshold=threshold,
        near=near,
        distinct=distinct,
        share_below=near / n,
        share_expected=rank / (m + 1),
        p_value=precedence(hits // half, n // half, -(-rank // real_half), max(m // real_half, 1)),
    )


def relative(found: Neighbours, groups: Sequence[str]) -> np.ndarray:
    """Distance to the nearest image over that to the nearest image of another group.

    A copy is much nearer to one lesion than to all others; a blurred or typical image is near to
    many (the idea of Carlini et al., "Extracting training data from diffusion models", USENIX
    Security 2023, equation 1).

    Args:
        found: two or more neighbours of each image.
        groups: of the reference images.

    Returns:
        float64[n], 0 to 1: 0 for a copy.
    """
    codes = np.unique(groups, return_inverse=True)[1][found.index]
    other = (codes != codes[:, :1]) & np.isfinite(found.distance)
    # Where all neighbours are of one group, the last one stands for the next group.
    column = np.where(other.any(axis=1), other.argmax(axis=1), found.index.shape[1] - 1)
    next_one = found.distance[np.arange(len(column)), column].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found.distance[:, 0] / next_one
    return np.where((next_one > 0) & np.isfinite(next_one), ratio, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Distances to the nearest training images, of one kind.

    Attributes:
        absolute: float[n], to the nearest one.
        relative: float[n], see `relative`.
        target: int[n], the nearest training image.
        labels: int[n].
    """

    absolute: np.ndarray
    relative: np.ndarray
    target: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, found: Neighbours, groups: Sequence[str], labels: np.ndarray) -> Measured:
        """From neighbours among training images of these groups."""
        return cls(found.distance[:, 0], relative(found, groups), found.index[:, 0], labels)

    def where(self, chosen: np.ndarray) -> Measured:
        """Some of the images: bool[n] or int[m]."""
        parts = (self.absolute, self.relative, self.target, self.labels)
        return Measured(*(part[chosen] for part in parts))

    def finite(self) -> Measured:
        """Without images that had nothing to be compared with."""
        return self.where(np.isfinite(self.absolute))


def compare_classes(
    synthetic: Measured,
    held_out: Measured,
    left_out: Measured,
    class_names: Sequence[str],
    matched: np.ndarray,
) -> dict[str, Any]:
    """Nearness of the whole set and of each class.

    Args:
        synthetic: of all synthetic images.
        held_out: of held-out real images.
        left_out: of training images, with their own group left out.
        class_names: the classes, in the order of their labels.
        matched: indices of as many synthetic images of each class as there are held-out ones.
    """

    def figures(fake: Measured, real: Measured, other: Measured) -> dict[str, Any] | None:
        name, yardstick = HELD_OUT, real
        if len(real.labels) < FEW_HELD_OUT and len(other.labels) > len(real.labels):
            name, yardstick = LEFT_OUT, other
        if not len(fake.labels) or not len(yardstick.labels):
            return None
        return {
            "yardstick": name,
            "absolute": dataclasses.asdict(compare(fake.absolute, yardstick.absolute, fake.target)),
            "relative": dataclasses.asdict(compare(fake.relative, yardstick.relative, fake.target)),
        }

    return {
        "whole": figures(synthetic.where(matched), held_out, left_out),
        "classes": {
            name: figures(
                *(each.where(each.labels == i) for each in (synthetic, held_out, left_out))
            )
            for i, name in enumerate(class_names)
        },
    }


def some_of_each(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of at most so many rows of each class, in order: int64[m]."""
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        rank[of_class] = np.arange(len(of_class))
    return np.flatnonzero(rank < most)
