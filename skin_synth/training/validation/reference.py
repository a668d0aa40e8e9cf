"""The real images with which validation compares synthetic images."""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.data.pipeline import DrawnImages, LabelledImages
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.features.labelled_features import LabelledFeatures
from skin_synth.evaluation.image_sets import first_of_each_class
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from skin_synth.evaluation.metrics.manifold import COVERAGE_K, coverage
from skin_synth.training.validation.alarms import mean_distance
from skin_synth.training.validation.curve import WHOLE, Point

FEWEST_VALIDATED = 2
"""Least number of real images of a class that has points on the curve."""
BASELINE_SEED = 0
SPREAD_IMAGES = 256
"""Number of real training images of a class for the measure of variety."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The real side of validation.

    Attributes:
        extractor: makes the features.
        class_names: in the order of the labels.
        real: features of the validation split; None without enough images.
        real_baseline: points of real training images against the validation split, which a perfect
            generator would reach.
        spread: `mean_distance` of real training images, by class; classes with two images or more.
    """

    extractor: Extractor
    class_names: tuple[str, ...]
    real: LabelledFeatures | None
    real_baseline: tuple[Point, ...]
    spread: dict[str, float]

    def compare(self, images: np.ndarray, labels: np.ndarray, images_seen: int) -> list[Point]:
        """Computes points of the curve (see `compare`); no points without a validation split.

        Args:
            images: uint8[n, side, side, 3], as many of each class as the validation split has.
            labels: int64[n].
            images_seen: images that the run has seen.
        """
        if self.real is None:
            return []
        fake = LabelledFeatures(self.extractor(images), labels)
        return compare(self.real, fake, self.class_names, images_seen)

    def variety(self, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Computes `mean_distance` of the images of `compare`, for each class in `spread`."""
        found = LabelledFeatures(self.extractor(images), labels)
        return {
            name: mean_distance(found.of(label))
            for label, name in enumerate(self.class_names)
            if name in self.spread
        }


def make_reference(
    extractor: Extractor, train: DrawnImages, held_out: LabelledImages | None
) -> Reference:
    """Measures the real images.

    Args:
        extractor: makes the features.
        train: the training split.
        held_out: the validation split; None, or fewer than `FEWEST_VALIDATED` images: no points.
    """
    names = train.class_names

    def chosen(counts: np.ndarray | list[int]) -> LabelledFeatures:
        """Draws up to `counts` training images of each class at random."""
        order = np.random.default_rng(BASELINE_SEED).permutation(len(train))
        rows = order[first_of_each_class(train.labels[order], counts)]
        return LabelledFeatures(extractor(train.images[rows]), train.labels[rows])

    few = chosen([SPREAD_IMAGES] * len(names))
    by_class = {name: few.of(label) for label, name in enumerate(names)}
    spread = {n: mean_distance(x) for n, x in by_class.items() if len(x) >= FEWEST_VALIDATED}
    if held_out is None or len(held_out) < FEWEST_VALIDATED:
        return Reference(extractor, names, None, (), spread)
    real = LabelledFeatures(extractor(held_out.images), held_out.labels)
    baseline = compare(real, chosen(held_out.class_counts), names, 0)
    return Reference(extractor, names, real, tuple(baseline), spread)


def compare(
    real: LabelledFeatures, fake: LabelledFeatures, class_names: tuple[str, ...], images_seen: int
) -> list[Point]:
    """Computes kernel distance and coverage of all classes together, then of each class.

    Args:
        real: features of at least two real images.
        fake: features of other images, about as many of each class.
        class_names: in the order of the labels.
        images_seen: of the points.

    Returns:
        Points of sets with `FEWEST_VALIDATED` images or more on each side.
    """
    pairs = [(WHOLE, real.features, fake.features)]
    pairs += [(name, real.of(label), fake.of(label)) for label, name in enumerate(class_names)]
    return [
        Point(
            images_seen,
            name,
            len(x),
            kernel_distance(x, y),
            coverage(x, y) if len(x) > COVERAGE_K else None,
        )
        for name, x, y in pairs
        if min(len(x), len(y)) >= FEWEST_VALIDATED
    ]


def shortcomings(held_out: LabelledImages | None) -> list[str]:
    """Returns lines that say what validation cannot measure on a split, or without one."""
    if held_out is None or len(held_out) < FEWEST_VALIDATED:
        return [
            "no validation split of two images or more: there will be no validation curve and no "
            "best checkpoint (tfrecords-tools build --splits makes one)"
        ]
    counts = dict(zip(held_out.class_names, held_out.class_counts.tolist(), strict=True))
    few = [f"{name} ({n})" for name, n in counts.items() if n < FEWEST_VALIDATED]
    between = range(FEWEST_VALIDATED, COVERAGE_K + 1)
    uncovered = [f"{name} ({n})" for name, n in counts.items() if n in between]
    lines = []
    if few:
        lines.append(
            f"fewer than {FEWEST_VALIDATED} validation images of {', '.join(few)}: no curve of "
            "these classes"
        )
    if uncovered:
        lines.append(
            f"no more than {COVERAGE_K} validation images of {', '.join(uncovered)}: too few to "
            "measure variety (coverage); training goes on without it"
        )
    return lines
