"""What synthetic images are compared with while a run trains: real ones, known by features."""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.data.pipeline import DrawnImages, LabelledImages
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.features.labelled_features import LabelledFeatures
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from skin_synth.evaluation.metrics.manifold import coverage
from skin_synth.training.validation.alarms import mean_distance
from skin_synth.training.validation.curve import WHOLE, Point

K = 5
"""Neighbour that bounds a neighbourhood of coverage: the paper's choice."""
FEWEST = 2
"""Images of a class below which nothing can be said of it."""
FLOOR_SEED = 0
SPREAD_IMAGES = 256
"""Real training images of a class whose variety is measured."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The real side of validation.

    Attributes:
        extractor: what images are compared by.
        class_names: the classes, in the order of their labels.
        real: of the validation split; None where it is of no use.
        floor: real training images against the validation split: what a perfect generator reaches.
        spread: by class, `mean_distance` of real training images; classes of two images or more.
    """

    extractor: Extractor
    class_names: tuple[str, ...]
    real: LabelledFeatures | None
    floor: tuple[Point, ...]
    spread: dict[str, float]

    def compare(self, images: np.ndarray, labels: np.ndarray, images_seen: int) -> list[Point]:
        """Points of the curve.

        Args:
            images: uint8[n, side, side, 3], as many of each class as the validation split has.
            labels: int64[n].
            images_seen: by the run.

        Returns:
            One point for all classes, then one for each with `FEWEST` real images; none where
            there is no validation split.
        """
        if self.real is None:
            return []
        fake = LabelledFeatures(self.extractor(images), labels)
        return compare(self.real, fake, self.class_names, images_seen)

    def variety(self, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """By class, `mean_distance` of synthetic images, where `spread` knows the real one's.

        Args:
            images: uint8[n, side, side, 3].
            labels: int64[n].
        """
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
        extractor: what images are compared by.
        train: the training split.
        held_out: the validation split; None, or fewer than `FEWEST` images: no points.
    """
    classes = range(len(train.class_names))
    spread_rows = _chosen(train.labels, [SPREAD_IMAGES] * len(classes))
    spread = LabelledFeatures(extractor(train.images[spread_rows]), train.labels[spread_rows])
    real, floor = None, []
    if held_out is not None and len(held_out) >= FEWEST:
        real = LabelledFeatures(extractor(held_out.images), held_out.labels)
        rows = _chosen(train.labels, held_out.class_counts)
        other = LabelledFeatures(extractor(train.images[rows]), train.labels[rows])
        floor = compare(real, other, train.class_names, 0)
    return Reference(
        extractor,
        train.class_names,
        real,
        tuple(floor),
        {
            train.class_names[label]: mean_distance(spread.of(label))
            for label in classes
            if len(spread.of(label)) >= FEWEST
        },
    )


def compare(
    real: LabelledFeatures, fake: LabelledFeatures, class_names: tuple[str, ...], images_seen: int
) -> list[Point]:
    """Kernel distance and coverage of all classes together, then of each that has enough images.

    Args:
        real: features of real images, two or more.
        fake: features of others, about as many of each class.
        class_names: in the order of the labels.
        images_seen: what the points are noted under.
    """
    pairs = [(WHOLE, real.features, fake.features)]
    pairs += [(name, real.of(label), fake.of(label)) for label, name in enumerate(class_names)]
    return [
        Point(
            images_seen,
            name,
            len(x),
            kernel_distance(x, y),
            coverage(x, y, K) if len(x) > K else None,
        )
        for name, x, y in pairs
        if min(len(x), len(y)) >= FEWEST
    ]


def shortcomings(held_out: LabelledImages | None) -> list[str]:
    """What validation cannot say of a data set, in plain lines.

    Args:
        held_out: the validation split; None where there is none.
    """
    if held_out is None or len(held_out) < FEWEST:
        return [
            "no validation split of two images or more: there will be no validation curve and no "
            "best checkpoint (tfrecords-tools build --splits makes one)"
        ]
    counts = dict(zip(held_out.class_names, held_out.class_counts.tolist(), strict=True))
    few = [f"{name} ({n})" for name, n in counts.items() if n < FEWEST]
    uncovered = [f"{name} ({n})" for name, n in counts.items() if FEWEST <= n <= K]
    lines = []
    if few:
        lines.append(
            f"fewer than {FEWEST} validation images of {', '.join(few)}: no curve of these classes"
        )
    if uncovered:
        lines.append(
            f"no more than {K} validation images of {', '.join(uncovered)}: no coverage of these "
            "classes"
        )
    return lines


def _chosen(labels: np.ndarray, counts: np.ndarray | list[int]) -> np.ndarray:
    """Rows drawn at random, up to `counts` of each class: int64[m]."""
    order = np.random.default_rng(FLOOR_SEED).permutation(len(labels))
    return np.concatenate(
        [order[labels[order] == label][:count] for label, count in enumerate(counts)]
    )
