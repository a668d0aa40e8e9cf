"""Results of the study of small sites; `dataclasses.asdict` of them is report.json."""

from __future__ import annotations

import dataclasses

from skin_synth.evaluation.statistics.intervals import LEVEL, Interval
from skin_synth.evaluation.utility.differences import GAIN, Difference
from skin_synth.evaluation.utility.metrics import SPECIFICITY
from skin_synth.evaluation.utility.planned import FoundOfHundred, PlannedVerdict
from skin_synth.evaluation.utility.results import OverSeeds
from skin_synth.evaluation.utility.small_site import SmallSiteOptions

SMALL_SITE_SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True)
class TrainingOfArms:
    """Settings of the training of all classifiers.

    Attributes:
        classifier, parameters, weights_hash: the network; the hash is empty from scratch.
        learning_rate, batch_size, policy, augmentation: of all trainings.
    """

    classifier: str
    parameters: int
    weights_hash: str
    learning_rate: float
    batch_size: int
    policy: str
    augmentation: str


@dataclasses.dataclass(frozen=True)
class ArmFigures:
    """One arm with one number of own images, on one test set.

    Attributes:
        arm, kind: see `recipes`.
        trainings: draws times seeds; only the first seed, unless the arm was selected.
        macro_auroc: mean and spread over trainings.
        log_loss: class-balanced log loss in nats, after the correction to equal shares.
        sensitivity: mean of each class at the specificity of the protocol; None without images.
    """

    arm: str
    kind: str
    trainings: int
    macro_auroc: OverSeeds
    log_loss: OverSeeds
    sensitivity: dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class SizeResult:
    """One number of own images, on one test set.

    Attributes:
        own_images, own_lesions: numbers in each draw.
        own_of_class: own images by class, mean over draws.
        arms: figures of all arms.
        control, use, ceiling: names of the selected arms.
        verdict: use against control.
        found: by class, the number of additional images found at the same false alarms.
        ceiling_gain: macro AUROC of the ceiling minus that of the control.
        share_of_ceiling: gain of the use divided by that of the ceiling, in macro AUROC.
        share_low, share_high: its interval, see `gain_share`. It has no ends if the ceiling itself
            shows no gain: all three are None then.
    """

    own_images: tuple[int, ...]
    own_lesions: tuple[int, ...]
    own_of_class: dict[str, float]
    arms: tuple[ArmFigures, ...]
    control: str
    use: str
    ceiling: str
    verdict: PlannedVerdict
    found: tuple[FoundOfHundred, ...]
    ceiling_gain: Difference
    share_of_ceiling: float | None
    share_low: float | None
    share_high: float | None

    @property
    def shown_share(self) -> Interval | None:
        """The share of the ceiling to tell a reader; None without a gain in macro AUROC."""
        share, low, high = self.share_of_ceiling, self.share_low, self.share_high
        if self.verdict.macro_auroc.words != GAIN or share is None or low is None or high is None:
            return None
        return Interval(share, low, high)


@dataclasses.dataclass(frozen=True)
class ResultOnTests:
    """All results on one test set.

    Attributes:
        name: `test`, or the name of an external data set.
        images, lesions: numbers in the test set, by class.
        sizes: results by number of own images.
        synthetic_alone: a classifier trained on synthetic images only.
        sentence: the result in words.
    """

    name: str
    images: dict[str, int]
    lesions: dict[str, int]
    sizes: dict[int, SizeResult]
    synthetic_alone: ArmFigures
    sentence: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallSiteResults:
    """Results of the whole study.

    Attributes:
        options: settings of the study.
        training: settings of the trainings.
        generator: hash of the generator's weights.
        site: name of the data set of the own images; empty: that of the generator.
        train_images, validation_images: images by class, of the generator and of the site.
        tests: results on each test set; the first is the test split of the data set.
        warnings: limits of the figures.
    """

    schema_version: int = SMALL_SITE_SCHEMA_VERSION
    options: SmallSiteOptions
    training: TrainingOfArms
    generator: str
    site: str = ""
    train_images: dict[str, int]
    validation_images: dict[str, int]
    tests: tuple[ResultOnTests, ...]
    level: float = LEVEL
    specificity: float = SPECIFICITY
    warnings: tuple[str, ...]
