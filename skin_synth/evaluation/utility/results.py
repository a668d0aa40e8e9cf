"""Results of the utility study; `dataclasses.asdict` of them is `utility` in report.json."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility.differences import GAIN, HARM, Difference
from skin_synth.evaluation.utility.metrics import CALIBRATION_BINS, SPECIFICITY
from skin_synth.evaluation.utility.planned import FoundOfHundred, PlannedVerdict, no_room

UTILITY_SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True)
class OverSeeds:
    """A figure of one arm over its trainings.

    Attributes:
        mean: None if the figure of a training is not finite, such as for a class without images.
        sd: standard deviation; None like `mean`, and for one training.
        seeds: the figure of each training; None if it is not finite.
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
        sd = float(found.std(ddof=1)) if len(found) > 1 else None
        return cls(float(found.mean()), sd, seeds)


@dataclasses.dataclass(frozen=True)
class ArmFigures:
    """Figures of one arm on a test set; dictionaries are by class name.

    AUROC is of raw probabilities. The others are of corrected ones, see `calibration`: the
    calibration error and the Brier score at the class shares of the validation images, the log
    loss, the balanced accuracy and the sensitivities at equal shares.
    """

    macro_auroc: OverSeeds
    log_loss: OverSeeds
    balanced_accuracy: OverSeeds
    macro_partial_auroc: OverSeeds
    calibration_error: OverSeeds
    brier_score: OverSeeds
    auroc: dict[str, OverSeeds]
    sensitivity_at_specificity: dict[str, OverSeeds]

    @property
    def mean_sensitivity(self) -> float | None:
        """Mean sensitivity over classes at `SPECIFICITY`; None without any class."""
        found = [each.mean for each in self.sensitivity_at_specificity.values()]
        means = [mean for mean in found if mean is not None]
        return sum(means) / len(means) if means else None


@dataclasses.dataclass(frozen=True)
class Curve:
    """Losses in the last phase of the trainings of an arm, means over its seeds.

    Attributes:
        steps: steps of the losses.
        training_loss: mean since the previous point; None for the first point.
        validation_loss: cross-entropy of validation images.
    """

    steps: tuple[int, ...]
    training_loss: tuple[float | None, ...]
    validation_loss: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class ScreenedArm:
    """One arm in the screening.

    Attributes:
        arm, kind: name and kind of the arm, see `recipes`.
        validation_macro_auroc: selects the use and the control.
        figures: figures on the test images; they select nothing.
        curve: loss curves.
    """

    arm: str
    kind: str
    validation_macro_auroc: OverSeeds
    figures: ArmFigures
    curve: Curve


@dataclasses.dataclass(frozen=True)
class MeasureDifferences:
    """Differences in both measures: the chosen use minus another arm."""

    macro_auroc: Difference
    log_loss: Difference


@dataclasses.dataclass(frozen=True)
class ComparedArm:
    """One arm in the comparison, with seeds that did not select it.

    Attributes:
        arm, kind: as in `ScreenedArm`.
        figures: on the test set of the comparison.
        use_minus_arm: None for the use and for averaged networks. Only the difference to the
            chosen control is in the verdict; the others are for information.
    """

    arm: str
    kind: str
    figures: ArmFigures
    use_minus_arm: MeasureDifferences | None


@dataclasses.dataclass(frozen=True)
class HeldOutSet:
    """Numbers of test images and their lesions (groups), by class as in `ImageCounts`."""

    name: str
    images: tuple[int, ...]
    groups: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The chosen use against the chosen control on one test set.

    Attributes:
        test_set: the test set.
        arms: the use, the control, then others for information.
        verdict: verdict of the planned comparison.
        found: by class, the additional images of 100 found at the same false alarms.
    """

    test_set: HeldOutSet
    arms: tuple[ComparedArm, ...]
    verdict: PlannedVerdict
    found: tuple[FoundOfHundred, ...]

    @property
    def sentence(self) -> str:
        """The result in words, without advice and without the last full stop."""
        use, control, *_ = self.arms
        return (
            f"the macro AUROC is {_figure(use.figures.macro_auroc)} with synthetic images "
            f"(“{use.arm}”) and {_figure(control.figures.macro_auroc)} with real images only "
            f"(“{control.arm}”){no_room(control.figures.macro_auroc.mean)}"
            + (f". {self.verdict.only_shown_by}" if self.verdict.only_shown_by else "")
        )


@dataclasses.dataclass(frozen=True)
class ClassifierResult:
    """All results of one kind of classifier.

    Attributes:
        classifier: its name.
        use, control: names of the chosen arms.
        screened: every arm.
        comparisons: on the test split, then on each further test set.
        curves: of the chosen use and the chosen control, with the seeds of the comparison.
        warnings: of this classifier.
    """

    classifier: str
    use: str
    control: str
    screened: tuple[ScreenedArm, ...]
    comparisons: tuple[Comparison, ...]
    curves: dict[str, Curve]
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ImageCounts:
    """Numbers of images, in the order of `class_names`.

    Attributes:
        train, validation: real images of these splits.
        test, test_groups: used test images, and their lesions (groups).
        left_out_of_test: test images of groups that are also in train or validation.
    """

    class_names: tuple[str, ...]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    test_groups: tuple[int, ...]
    left_out_of_test: int


@dataclasses.dataclass(frozen=True)
class ClassifierInfo:
    """A kind of classifier: parameters, largest learning rate, sha256 of pretrained weights."""

    name: str
    parameters: int
    learning_rate: float
    weights_hash: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyProtocol:
    """Settings of all arms of a study.

    Attributes:
        seeds: trainings of each compared arm.
        screening_seeds: trainings of each arm in the screening; they are not in the comparison.
        teachers: number of networks whose mean gives the labels of a teacher.
        classifiers, steps, batch_size, pool, policy, replicates: see `UtilityOptions`.
        augmentation: in words.
        level: confidence level of the intervals.
        correction: for the two measures, in words.
        specificity: specificity of the sensitivities.
        calibration_bins: number of bins of the calibration error.
    """

    seeds: int
    screening_seeds: int
    teachers: int
    classifiers: tuple[ClassifierInfo, ...]
    steps: int
    batch_size: int
    pool: int
    policy: str
    replicates: int
    augmentation: str
    level: float = LEVEL
    correction: str = "Holm over macro AUROC and class-balanced log loss"
    specificity: float = SPECIFICITY
    calibration_bins: int = CALIBRATION_BINS


@dataclasses.dataclass(frozen=True)
class UtilityVerdict:
    """The answer: `differences.GAIN`, `HARM` or `NEITHER`, the finding and the advice."""

    words: str
    finding: str
    advice: str

    @classmethod
    def of(cls, first: ClassifierResult) -> UtilityVerdict:
        """Takes the verdict of the first classifier on the test split."""
        comparison = first.comparisons[0]
        words = comparison.verdict.words
        advice = {
            GAIN: f"train on real and synthetic images, as in “{first.use}”",
            HARM: "do not train on these images",
        }.get(words, f"train on real images only, as in “{first.control}”")
        return cls(words, f"For {first.classifier} {comparison.sentence}", advice)

    @property
    def sentence(self) -> str:
        """The whole answer."""
        return f"{self.words}: {self.advice}. {self.finding}."


@dataclasses.dataclass(frozen=True, kw_only=True)
class UtilityResults:
    """Results of a whole study.

    Attributes:
        classifiers: the first one gives the verdict.
        warnings: limits of the figures.
    """

    schema_version: int = UTILITY_SCHEMA_VERSION
    protocol: StudyProtocol
    images: ImageCounts
    classifiers: tuple[ClassifierResult, ...]
    verdict: UtilityVerdict
    warnings: tuple[str, ...]


def finite_or_none(value: float) -> float | None:
    """Returns the value, or None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None


def _figure(found: OverSeeds) -> str:
    return "unknown" if found.mean is None else f"{found.mean:.3f}"
