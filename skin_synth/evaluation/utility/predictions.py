"""Predictions of trained arms, and their figures.

AUROC is of the raw probabilities. The log loss, the sensitivities, the balanced accuracy and the
calibration would also compare the class shares of the batches, so that they are of probabilities
that are corrected to equal shares.
"""

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
        raw: float64[seeds, n, classes], log-probabilities of each set of images, by its name.
        corrected: the same at equal class shares; each training is corrected by its validation
            predictions.
        curve: loss curves, mean over seeds.
    """

    arm: Arm
    raw: dict[str, np.ndarray]
    corrected: dict[str, np.ndarray]
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
            prior: float64[classes], learnt class shares of the networks, see `learnt_shares`.
        """
        raw = {
            name: np.stack([each.log_probabilities[name] for each in trained]).astype(np.float64)
            for name in trained[0].log_probabilities
        }
        fits = [PriorCorrection.fit(labels, each, prior) for each in raw[VALIDATION]]
        corrected = {
            name: np.stack([fit.apply(each) for fit, each in zip(fits, found, strict=True)])
            for name, found in raw.items()
        }
        return cls(arm, raw, corrected, _curve(trained))

    def averaged(self, arm: Arm) -> Predictions:
        """Returns one prediction for all seeds: the mean of their probabilities."""
        raw, corrected = (
            {
                name: special.logsumexp(each, axis=0, keepdims=True) - np.log(len(each))
                for name, each in found.items()
            }
            for found in (self.raw, self.corrected)
        )
        return Predictions(arm, raw, corrected, self.curve)

    def class_auroc(
        self, name: str, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Computes `metrics.class_auroc`, by row of weights: float64[seeds, rows, classes]."""
        return _each(self.raw[name], lambda y, p: metrics.class_auroc(y, p, weights), labels)

    def class_log_loss(
        self, name: str, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Computes `metrics.class_log_loss`, by row of weights: float64[seeds, rows, classes]."""
        found = self.corrected[name]
        return np.stack([metrics.class_log_loss(labels, each, weights) for each in found])

    def sensitivities(
        self, name: str, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Computes `class_sensitivity_at_specificity`: float64[seeds, rows, classes]."""
        of_class = metrics.class_sensitivity_at_specificity
        return _each(self.corrected[name], lambda y, p: of_class(y, p, weights), labels)

    def figures(self, name: str, images: LabelledImages, shares: np.ndarray) -> ArmFigures:
        """Computes all figures on one set of images.

        Args:
            name: of the set.
            images: of the set.
            shares: float64[classes], class shares for the calibration error and the Brier score.
        """
        labels, raw, corrected = images.labels, self.raw[name], self.corrected[name]
        at_shares = special.log_softmax(
            corrected + np.log(np.maximum(shares, SMALLEST_PRIOR)), axis=-1
        )

        def summary(found: np.ndarray, metric: Metric) -> OverSeeds:
            return OverSeeds.of(_each(found, metric, labels))

        def by_class(found: np.ndarray, metric: Metric) -> dict[str, OverSeeds]:
            columns = _each(found, metric, labels).T
            return dict(zip(images.class_names, map(OverSeeds.of, columns), strict=True))

        return ArmFigures(
            macro_auroc=summary(raw, metrics.macro_auroc),
            log_loss=OverSeeds.of(metrics.mean_over_classes(self.class_log_loss(name, labels))),
            balanced_accuracy=summary(corrected, metrics.balanced_accuracy),
            macro_partial_auroc=summary(raw, metrics.macro_partial_auroc),
            calibration_error=summary(at_shares, metrics.calibration_error),
            brier_score=summary(at_shares, metrics.brier_score),
            auroc=by_class(raw, metrics.class_auroc),
            sensitivity_at_specificity=by_class(
                corrected, metrics.class_sensitivity_at_specificity
            ),
        )


def _each(log_probabilities: np.ndarray, metric: Metric, labels: np.ndarray) -> np.ndarray:
    """Computes a metric of probabilities for each seed: float64[seeds, ...]."""
    return np.stack([metric(labels, np.exp(each)) for each in log_probabilities])


def _curve(trained: Sequence[TrainedArm]) -> Curve:
    training = np.mean([each.training_loss for each in trained], axis=0)
    validation = np.mean([each.validation_loss for each in trained], axis=0)
    return Curve(
        tuple(trained[0].steps.tolist()),
        tuple(map(finite_or_none, training.tolist())),
        tuple(validation.tolist()),
    )
