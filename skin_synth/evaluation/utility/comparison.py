"""Compares the predictions of all arms: figures, differences to the best control, verdict."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arms import CONTROL, MIXED, Arm
from skin_synth.evaluation.utility.differences import (
    Difference,
    arm_verdict,
    paired_difference,
    resampling_weights,
    study_verdict,
)
from skin_synth.evaluation.utility.results import (
    ArmDifference,
    ArmFigures,
    ArmResult,
    MetricDifferences,
    OverSeeds,
    UtilityVerdict,
    finding,
    finite_or_none,
)

Metric = Callable[..., float | np.ndarray]
"""Of labels, probabilities and, if a bootstrap uses it, weights."""


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of one arm with one kind of classifier: float32[seeds, images, classes]."""

    arm: Arm
    classifier: str
    validation: np.ndarray
    test: np.ndarray

    def on_test(self, metric: Metric, labels: np.ndarray, *weights: np.ndarray) -> np.ndarray:
        """Computes a metric on the test images for each seed: float[seeds, ...]."""
        return np.stack([metric(labels, each, *weights) for each in self.test])


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The part of `UtilityResults` that follows from predictions."""

    arms: tuple[ArmResult, ...]
    best_control: dict[str, str]
    differences: tuple[ArmDifference, ...]
    verdict: UtilityVerdict


def compare(
    predictions: Sequence[Predictions],
    validation: LabelledImages,
    test: LabelledImages,
    *,
    replicates: int,
) -> Comparison:
    """Compares arms with synthetic images with the best control of each kind of classifier.

    The best control has the highest macro AUROC on validation images. The choice does not depend
    on the test images, so that the difference on them has no bias. `predictions` are of every arm
    with every kind of classifier; `replicates` are those of the bootstrap.
    """
    weights = resampling_weights(test.groups, test.labels, replicates=replicates, seed=0)
    entries = [_Resampled.of(each, validation.labels, test.labels, weights) for each in predictions]
    controls: dict[str, list[_Resampled]] = {}
    for entry in entries:
        if entry.given.arm.kind == CONTROL:
            controls.setdefault(entry.given.classifier, []).append(entry)
    best = {
        classifier: max(several, key=lambda entry: entry.validation_macro_auroc)
        for classifier, several in controls.items()
    }
    comparisons = sum(each.arm.kind == MIXED for each in predictions)
    paired = functools.partial(
        paired_difference, groups=len(set(test.groups)), comparisons=comparisons
    )
    differences = tuple(
        _difference(entry, controls[given.classifier], best[given.classifier], paired, test)
        for given, entry in zip(predictions, entries, strict=True)
        if given.arm.kind != CONTROL
    )
    return Comparison(
        tuple(_arm_result(entry, test) for entry in entries),
        {classifier: control.given.arm.name for classifier, control in best.items()},
        differences,
        _verdict(differences, comparisons),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Resampled:
    """Metrics of one arm and classifier on the test images and on all replicates of them.

    Each is float64[seeds, replicates + 1], `sensitivity` float64[seeds, replicates + 1, classes].
    """

    given: Predictions
    validation_macro_auroc: float
    macro_auroc: np.ndarray
    balanced_accuracy: np.ndarray
    sensitivity: np.ndarray

    @classmethod
    def of(
        cls, given: Predictions, validation: np.ndarray, test: np.ndarray, weights: np.ndarray
    ) -> _Resampled:
        on_validation = [metrics.macro_auroc(validation, each) for each in given.validation]
        return cls(
            given,
            float(np.mean(on_validation)),
            given.on_test(metrics.macro_auroc, test, weights),
            given.on_test(metrics.balanced_accuracy, test, weights),
            given.on_test(metrics.sensitivity, test, weights),
        )


def _difference(
    entry: _Resampled,
    controls: Sequence[_Resampled],
    best: _Resampled,
    paired: Callable[[np.ndarray, np.ndarray], Difference],
    test: LabelledImages,
) -> ArmDifference:
    def of_class(label: int) -> Difference | None:
        pair = entry.sensitivity[..., label], best.sensitivity[..., label]
        return paired(*pair) if np.isfinite(pair).all() else None

    against_all = {
        control.given.arm.name: paired(entry.macro_auroc, control.macro_auroc)
        for control in controls
    }
    against_best = against_all[best.given.arm.name]
    words = arm_verdict(against_best, list(against_all.values()))
    arm = entry.given.arm
    return ArmDifference(
        arm=arm.name,
        classifier=entry.given.classifier,
        ratio=finite_or_none(arm.ratio),
        control=best.given.arm.name,
        metrics=MetricDifferences(
            against_best, paired(entry.balanced_accuracy, best.balanced_accuracy)
        ),
        sensitivity={name: of_class(label) for label, name in enumerate(test.class_names)},
        against_every_control=against_all,
        verdict=words if arm.kind == MIXED else None,
    )


def _arm_result(entry: _Resampled, test: LabelledImages) -> ArmResult:
    given = entry.given

    def over_seeds(metric: Metric) -> OverSeeds:
        return OverSeeds.of(given.on_test(metric, test.labels))

    def by_class(metric: Metric) -> dict[str, OverSeeds]:
        columns = given.on_test(metric, test.labels).T
        return dict(zip(test.class_names, map(OverSeeds.of, columns), strict=True))

    return ArmResult(
        arm=given.arm.name,
        classifier=given.classifier,
        kind=given.arm.kind,
        ratio=finite_or_none(given.arm.ratio),
        validation_macro_auroc=finite_or_none(entry.validation_macro_auroc),
        figures=ArmFigures(
            balanced_accuracy=over_seeds(metrics.balanced_accuracy),
            macro_auroc=over_seeds(metrics.macro_auroc),
            calibration_error=over_seeds(metrics.calibration_error),
            brier_score=over_seeds(metrics.brier_score),
            sensitivity=by_class(metrics.sensitivity),
            auroc=by_class(metrics.class_auroc),
            sensitivity_at_specificity=by_class(metrics.class_sensitivity_at_specificity),
        ),
    )


def _verdict(differences: Sequence[ArmDifference], comparisons: int) -> UtilityVerdict:
    words = study_verdict([entry.verdict for entry in differences if entry.verdict is not None])
    found = finding(differences, words, comparisons)
    return UtilityVerdict(words, comparisons, f"{words}: {found}")
