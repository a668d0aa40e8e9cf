"""Results of the utility study; `dataclasses.asdict` of them is `utility` in report.json."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility.differences import HARM, Difference
from skin_synth.evaluation.utility.options import UtilityOptions

UTILITY_SCHEMA_VERSION = 1
PRIMARY_METRIC = "macro_auroc"
"""The metric of the verdict; the others are for information."""


@dataclasses.dataclass(frozen=True)
class OverSeeds:
    """A figure of one arm over its trainings.

    Attributes:
        mean: None if the figure of a training is not finite, as for a class without images.
        sd: standard deviation; None as `mean`.
        seeds: the figure of each training; None for what is not finite.
    """

    mean: float | None
    sd: float | None
    seeds: tuple[float | None, ...]

    @classmethod
    def of(cls, values: npt.ArrayLike) -> OverSeeds:
        """Summarises one value for each seed."""
        found = np.array(values, np.float64)
        seeds = tuple(map(finite_or_none, found.tolist()))
        if None in seeds:
            return cls(None, None, seeds)
        return cls(float(found.mean()), float(found.std(ddof=1)), seeds)


@dataclasses.dataclass(frozen=True)
class ArmFigures:
    """Figures of one arm on the test images; dictionaries are by class name."""

    balanced_accuracy: OverSeeds
    macro_auroc: OverSeeds
    calibration_error: OverSeeds
    brier_score: OverSeeds
    sensitivity: dict[str, OverSeeds]
    auroc: dict[str, OverSeeds]
    sensitivity_at_specificity: dict[str, OverSeeds]


@dataclasses.dataclass(frozen=True)
class ArmResult:
    """One arm with one kind of classifier.

    Attributes:
        arm, kind: name and kind of the arm, see `arms`.
        classifier: name of its kind.
        ratio: synthetic images for each real one; None for synthetic images only.
        validation_macro_auroc: mean over seeds; it chooses the best control.
        figures: on the test images.
    """

    arm: str
    classifier: str
    kind: str
    ratio: float | None
    validation_macro_auroc: float | None
    figures: ArmFigures


@dataclasses.dataclass(frozen=True)
class MetricDifferences:
    """Differences to the best control; the verdict uses the first."""

    macro_auroc: Difference
    balanced_accuracy: Difference


@dataclasses.dataclass(frozen=True)
class ArmDifference:
    """One arm with synthetic images against the controls of the same kind of classifier.

    Attributes:
        arm, classifier, ratio: as in `ArmResult`.
        control: name of the best control.
        metrics: differences to the best control.
        sensitivity: difference to the best control by class; None for a class without figures.
        against_every_control: difference in macro AUROC by name of the control.
        verdict: `differences.GAIN`, `HARM` or `NEITHER`; None: the arm is for information only.
    """

    arm: str
    classifier: str
    ratio: float | None
    control: str
    metrics: MetricDifferences
    sensitivity: dict[str, Difference | None]
    against_every_control: dict[str, Difference]
    verdict: str | None


@dataclasses.dataclass(frozen=True)
class UtilityVerdict:
    """The answer: `differences.GAIN`, `HARM` or `NEITHER`, and a sentence with the finding."""

    words: str
    comparisons: int
    sentence: str


@dataclasses.dataclass(frozen=True)
class ImageCounts:
    """Numbers of images, in the order of `class_names`.

    Attributes:
        train, validation: real images of these splits.
        test, test_groups: test images that were used, and their lesions (groups).
        left_out_of_test: test images of groups that train or validation also hold.
    """

    class_names: tuple[str, ...]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    test_groups: tuple[int, ...]
    left_out_of_test: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyProtocol(UtilityOptions):
    """The options, and what else all arms of a study share.

    Attributes:
        steps, pool: as the options, never None.
        augmentation: of arms that augment, in words.
        classifiers: name, learning rate and provenance of the features of each kind.
        level: confidence level of the intervals.
        correction: for the number of comparisons, in words.
        specificity: at which `sensitivity_at_specificity` is taken.
        calibration_bins: of the calibration error.
    """

    steps: int
    pool: int
    batch_size: int
    augmentation: str
    classifiers: tuple[Mapping[str, str | float], ...]
    primary_metric: str = PRIMARY_METRIC
    level: float = LEVEL
    correction: str
    specificity: float
    calibration_bins: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class UtilityResults:
    """A whole study.

    Attributes:
        arms: every arm with every kind of classifier.
        best_control: name of the best control by kind of classifier, chosen on validation images.
        differences: arms with synthetic images against the controls.
        warnings: what a reader must know before believing the figures.
    """

    schema_version: int = UTILITY_SCHEMA_VERSION
    protocol: StudyProtocol
    images: ImageCounts
    arms: tuple[ArmResult, ...]
    best_control: dict[str, str]
    differences: tuple[ArmDifference, ...]
    verdict: UtilityVerdict
    warnings: tuple[str, ...]

    @property
    def finding(self) -> str:
        """The difference that the verdict follows from in words, without the verdict."""
        return finding(self.differences, self.verdict.words, self.verdict.comparisons)


def finding(differences: Sequence[ArmDifference], words: str, comparisons: int) -> str:
    """Describes the arm with this verdict that differs most: downwards for `HARM`, else upwards."""
    sign = -1 if words == HARM else 1
    arm = max(
        (entry for entry in differences if entry.verdict == words),
        key=lambda entry: sign * entry.metrics.macro_auroc.difference,
    )
    found = arm.metrics.macro_auroc
    return (
        f"{arm.arm} ({arm.classifier}) differs in macro AUROC by {found.difference:+.3f} from the "
        f"best classical control, {arm.control} ({LEVEL:.0%} interval {found.corrected_low:+.3f} "
        f"to {found.corrected_high:+.3f}, corrected for {comparisons} comparisons)"
    )


def finite_or_none(value: float) -> float | None:
    """Returns the value, or None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None
