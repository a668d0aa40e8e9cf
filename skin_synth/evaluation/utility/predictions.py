"""Corrected predictions of trained arms, and their figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arm_training import VALIDATION, TrainedArm
from skin_synth.evaluation.utility.calibration import SMALLEST_PRIOR, PriorCorrection
from skin_synth.evaluation.utility.recipes import Arm
from skin_synth.evaluation.utility.results import ArmFigures, Curve, OverSeeds, finite_or_none

Metric = Callable[[np.ndarray, np.ndarray], float | np.ndarray]
"""Of labels and probabilities."""


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one arm.

    Attributes:
        arm: the trained arm.
        log_probabilities: float64[seeds, n, classes] of each set of images, by its name. Each
            training is corrected to equal class shares by its validation predictions.
        curve: loss curves, mean over seeds.
    """

    arm: Arm
    log_probabilities: dict[str, np.ndarray]
    curve: Curve

    @classmethod
    def of(
        cls, arm: Arm, trained: Sequence[TrainedArm], labels: np.ndarray, prior: np.ndarray
    ) -> Predictions:
        """Corrects the predictions of the trainings of an arm.

        Args:
            arm: the trained arm.
            trained: one training for each seed.
            labels: int64[n], of the validation images.
            prior: float64[classes], learnt class shares of the networks.
        """
        corrections = [
            PriorCorrection.fit(labels, each.log_probabilities[VALIDATION], prior)
            for each in trained
        ]
        corrected = {
            name: np.stack(
                [
                    correction.apply(each.log_probabilities[name])
                    for correction, each in zip(corrections, trained, strict=True)
                ]
            )
            for name in trained[0].log_probabilities
        }
        return cls(arm, corrected, _curve(trained))

    def averaged(self, arm: Arm) -> Predictions:
        """Returns one prediction for all seeds: the mean of their probabilities."""
        return dataclasses.replace(
            self,
            arm=arm,
            log_probabilities={
                name: special.logsumexp(each, axis=0, keepdims=True) - np.log(len(each))
                for name, each in self.log_probabilities.items()
            },
        )

    def over_seeds(self, name: str, metric: Metric, labels: np.ndarray) -> np.ndarray:
        """Computes a metric of probabilities of one set for each seed: float64[seeds, ...]."""
        return np.stack([metric(labels, np.exp(each)) for each in self.log_probabilities[name]])

    def macro_auroc(self, name: str, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Computes the macro AUROC under each row of weights: float64[seeds, rows]."""
        return self.over_seeds(name, lambda y, p: metrics.macro_auroc(y, p, weights), labels)

    def log_loss(self, name: str, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Computes the class-balanced log loss under each row of weights: float64[seeds, rows]."""
        found = self.log_probabilities[name]
        return np.stack([metrics.class_balanced_log_loss(labels, each, weights) for each in found])

    def sensitivities(self, name: str, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Computes `class_sensitivity_at_specificity`: float64[seeds, rows, classes]."""
        of_class = metrics.class_sensitivity_at_specificity
        return self.over_seeds(name, lambda y, p: of_class(y, p, weights), labels)

    def figures(self, name: str, images: LabelledImages, shares: np.ndarray) -> ArmFigures:
        """Computes all figures on one set of images.

        Args:
            name: of the set.
            images: of the set.
            shares: float64[classes], class shares for the calibration error and the Brier score.
        """
        labels, natural = images.labels, np.log(np.maximum(shares, SMALLEST_PRIOR))

        def summary(metric: Metric) -> OverSeeds:
            return OverSeeds.of(self.over_seeds(name, metric, labels))

        def by_class(metric: Metric) -> dict[str, OverSeeds]:
            columns = self.over_seeds(name, metric, labels).T
            return dict(zip(images.class_names, map(OverSeeds.of, columns), strict=True))

        def at_shares(metric: Callable[[np.ndarray, np.ndarray], float]) -> OverSeeds:
            shifted = special.softmax(self.log_probabilities[name] + natural, axis=-1)
            return OverSeeds.of([metric(labels, each) for each in shifted])

        return ArmFigures(
            macro_auroc=summary(metrics.macro_auroc),
            log_loss=OverSeeds.of(self.log_loss(name, labels, np.ones(len(labels)))),
            balanced_accuracy=summary(metrics.balanced_accuracy),
            macro_partial_auroc=summary(metrics.macro_partial_auroc),
            calibration_error=at_shares(metrics.calibration_error),
            brier_score=at_shares(metrics.brier_score),
            auroc=by_class(metrics.class_auroc),
            sensitivity_at_specificity=by_class(metrics.class_sensitivity_at_specificity),
        )


def _curve(trained: Sequence[TrainedArm]) -> Curve:
    training = np.mean([each.training_loss for each in trained], axis=0)
    validation = np.mean([each.validation_loss for each in trained], axis=0)
    return Curve(
        tuple(trained[0].steps.tolist()),
        tuple(map(finite_or_none, training.tolist())),
        tuple(validation.tolist()),
    )
