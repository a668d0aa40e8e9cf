"""The arms of the utility study: the training set of each classifier."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import InputError

CONTROL, MIXED, SYNTHETIC_ONLY = "control", "real + synthetic", "synthetic only"
"""Kinds of arms: classical ones, those that the verdict judges, and one for information."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One training set and its sampling.

    Attributes:
        kind: `CONTROL`, `MIXED` or `SYNTHETIC_ONLY`.
        ratio: synthetic images drawn for each real one of the same class; 0: none; inf: only.
        balanced: draws all classes equally often (oversampling), not by their shares.
        class_weights: weighs the loss of each class by the inverse of its share.
        augmented: flips, turns and recolours images.
    """

    name: str
    kind: str
    ratio: float
    balanced: bool = True
    class_weights: bool = False
    augmented: bool = True

    def cells(self, class_counts: np.ndarray) -> np.ndarray:
        """Returns the shares of real and of synthetic images of each class among the drawn images.

        `class_counts` is int[classes], real training images. The shares are float64[2, classes],
        real first, and sum to 1.
        """
        classes = len(class_counts)
        share = np.full(classes, 1 / classes) if self.balanced else class_counts / sum(class_counts)
        synthetic = 1.0 if math.isinf(self.ratio) else self.ratio / (1 + self.ratio)
        return np.stack([share * (1 - synthetic), share * synthetic])

    def loss_weights(self, class_counts: np.ndarray) -> np.ndarray:
        """Returns the weight of each class in the loss: float64[classes], mean 1 over draws."""
        if not self.class_weights:
            return np.ones(len(class_counts))
        return sum(class_counts) / (len(class_counts) * class_counts)


CONTROLS = (
    Arm("real", CONTROL, 0.0, balanced=False, augmented=False),
    Arm("real + class weights", CONTROL, 0.0, balanced=False, class_weights=True, augmented=False),
    Arm("real + oversampling + augmentation", CONTROL, 0.0),
)


def make_arms(ratios: Sequence[float]) -> tuple[Arm, ...]:
    """Makes all arms: the controls, real + synthetic at each ratio, synthetic only.

    Arms with synthetic images have balanced classes and augmentation, as the strongest control:
    they differ from it only in the synthetic images.

    Raises:
        InputError: no ratio, a ratio that is not a positive number, or equal ratios.
    """
    if not ratios or not all(0 < ratio < math.inf for ratio in ratios):
        raise InputError(f"ratios must be numbers above 0, such as 0.25, 1 and 4; got {ratios}")
    if len(set(ratios)) < len(ratios):
        raise InputError(f"ratios must differ, got {ratios}")
    return (
        *CONTROLS,
        *(Arm(f"real + synthetic 1:{ratio:g}", MIXED, ratio) for ratio in ratios),
        Arm("synthetic only", SYNTHETIC_ONLY, math.inf),
    )
