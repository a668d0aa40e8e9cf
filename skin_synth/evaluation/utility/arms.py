"""The arms of the utility study: what each classifier is trained on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import InputError

CONTROL, MIXED, SYNTHETIC_ONLY = "control", "real + synthetic", "synthetic only"
"""Kinds of arms: classical ones, those the verdict is about, and one for information."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to feed a classifier.

    Attributes:
        name: for people.
        kind: `CONTROL`, `MIXED` or `SYNTHETIC_ONLY`.
        ratio: synthetic images drawn for each real one of the same class; 0: none; inf: only.
        balanced: whether all classes are drawn equally often (oversampling) or as they come.
        class_weights: whether the loss weighs each class by the inverse of its share.
        augmented: whether images are flipped, turned and recoloured.
    """

    name: str
    kind: str
    ratio: float
    balanced: bool
    class_weights: bool
    augmented: bool

    def cells(self, class_counts: np.ndarray) -> np.ndarray:
        """How often a real, and a synthetic, image of each class is drawn.

        Args:
            class_counts: int[classes], real training images.

        Returns:
            float64[2, classes], real first; sums to 1.
        """
        classes = len(class_counts)
        share = np.full(classes, 1 / classes) if self.balanced else class_counts / sum(class_counts)
        synthetic = 1.0 if math.isinf(self.ratio) else self.ratio / (1 + self.ratio)
        return np.stack([share * (1 - synthetic), share * synthetic])

    def loss_weights(self, class_counts: np.ndarray) -> np.ndarray:
        """What an image of each class counts in the loss: float64[classes], mean 1 over draws."""
        if not self.class_weights:
            return np.ones(len(class_counts))
        return sum(class_counts) / (len(class_counts) * class_counts)


CONTROLS = (
    Arm("real", CONTROL, 0.0, balanced=False, class_weights=False, augmented=False),
    Arm("real + class weights", CONTROL, 0.0, balanced=False, class_weights=True, augmented=False),
    Arm(
        "real + oversampling + augmentation",
        CONTROL,
        0.0,
        balanced=True,
        class_weights=False,
        augmented=True,
    ),
)


def make_arms(ratios: Sequence[float]) -> tuple[Arm, ...]:
    """All arms: the controls, real + synthetic at each ratio, synthetic only.

    Arms with synthetic images have all that the strongest control has, balanced classes and
    augmentation, so that the synthetic images are the only difference to it.

    Args:
        ratios: synthetic images for each real one.

    Raises:
        InputError: no ratio, one that is not a positive number, or one given twice.
    """
    if not ratios or not all(0 < ratio < math.inf for ratio in ratios):
        raise InputError(f"ratios must be numbers above 0, such as 0.25, 1 and 4; got {ratios}")
    if len(set(ratios)) < len(ratios):
        raise InputError(f"ratios must differ, got {ratios}")

    def with_synthetic(name: str, kind: str, ratio: float) -> Arm:
        return Arm(name, kind, ratio, balanced=True, class_weights=False, augmented=True)

    return (
        *CONTROLS,
        *(with_synthetic(f"real + synthetic 1:{ratio:g}", MIXED, ratio) for ratio in ratios),
        with_synthetic("synthetic only", SYNTHETIC_ONLY, math.inf),
    )
