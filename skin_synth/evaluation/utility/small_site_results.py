"""Results of the study of the small site: figures of all arms, one comparison for each size."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arm_training import VALIDATION, TrainedArm
from skin_synth.evaluation.utility.calibration import PriorCorrection
from skin_synth.evaluation.utility.differences import Difference, resampling_weights
from skin_synth.evaluation.utility.planned import (
    FoundOfHundred,
    PlannedVerdict,
    found_of_hundred,
    judge,
    planned_difference,
)
from skin_synth.evaluation.utility.recipes import CONTROL, USE, Arm
from skin_synth.evaluation.utility.results import OverSeeds, finite_or_none
from skin_synth.evaluation.utility.small_site import (
    CEILING,
    OWN,
    SYNTHETIC_ALONE,
    TEST,
    SmallSiteOptions,
    SmallSiteStudy,
    Training,
)

SMALL_SITE_SCHEMA_VERSION = 1


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
        share_of_ceiling: gain of the use divided by that of the ceiling; None if the interval of
            the ceiling contains 0.
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
        train_images, validation_images: images of these splits by class.
        tests: results on each test set; the first is the test split of the data set.
        warnings: limits of the figures.
    """

    schema_version: int = SMALL_SITE_SCHEMA_VERSION
    options: SmallSiteOptions
    training: TrainingOfArms
    generator: str
    train_images: dict[str, int]
    validation_images: dict[str, int]
    tests: tuple[ResultOnTests, ...]
    level: float = LEVEL
    specificity: float = metrics.SPECIFICITY
    warnings: tuple[str, ...]


def small_site_results(
    study: SmallSiteStudy,
    trainings: Sequence[Training],
    alone: Sequence[TrainedArm],
    *,
    training: TrainingOfArms,
    replicates: int = 1000,
) -> SmallSiteResults:
    """Computes all figures of a study from its predictions.

    Args:
        study: the study of the predictions.
        trainings: from `SmallSiteStudy.trainings`.
        alone: from `SmallSiteStudy.synthetic_alone`.
        training: settings of the trainings.
        replicates: of the bootstrap over test lesions.
    """
    tests = {TEST: study.test, **study.external}
    options = study.options
    found = tuple(
        _TestSet(study, name, images, replicates).result(trainings, alone)
        for name, images in tests.items()
    )
    return SmallSiteResults(
        options=options,
        training=training,
        generator=study.generator_id,
        train_images=_images(study.train),
        validation_images=_images(study.validation),
        tests=found,
        warnings=_warnings(found, options),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Judged:
    """Metrics of one training on all replicates: float64[replicates + 1] and [..., classes]."""

    macro_auroc: np.ndarray
    log_loss: np.ndarray
    sensitivity: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class _TestSet:
    """Judges trainings on one test set."""

    study: SmallSiteStudy
    name: str
    images: LabelledImages
    replicates: int

    def result(self, trainings: Sequence[Training], alone: Sequence[TrainedArm]) -> ResultOnTests:
        sizes = {
            size: self._size([each for each in trainings if each.site.size == size])
            for size in self.study.options.sizes
        }
        whole = self.study.validation
        equal = np.full(len(whole.class_names), 1 / len(whole.class_names))
        judged = [self._judged(each, whole, equal, resampled=False) for each in alone]
        return ResultOnTests(
            name=self.name,
            images=_images(self.images),
            lesions=_lesions(self.images),
            sizes=sizes,
            synthetic_alone=self._figures(SYNTHETIC_ALONE, judged),
            sentence=_sentence(sizes),
        )

    def _size(self, trainings: Sequence[Training]) -> SizeResult:
        study, options = self.study, self.study.options
        first = [each for each in trainings if each.seed == 0]
        control, use, ceiling = (study.chosen(first, kind) for kind in (CONTROL, USE, CEILING))
        judged: dict[str, list[_Judged]] = {}
        for each in sorted(trainings, key=lambda each: (each.seed, each.site.draw)):
            resampled = each.arm in (control, use, ceiling)
            rest = study.validation.subset(each.site.rest)
            prior = self._prior(each)
            found = self._judged(each.trained, rest, prior, resampled=resampled)
            judged.setdefault(each.arm.name, []).append(found)
        pairs = {arm.name: _stacked(judged[arm.name], options) for arm in (control, use, ceiling)}
        groups = len(set(self.images.groups))
        ours, theirs, most = (pairs[arm.name] for arm in (use, control, ceiling))
        verdict = judge(
            planned_difference(ours.macro_auroc, theirs.macro_auroc, groups=groups),
            planned_difference(ours.log_loss, theirs.log_loss, groups=groups),
        )
        ceiling_gain = planned_difference(
            most.macro_auroc, theirs.macro_auroc, groups=groups, comparisons=1
        )
        gain = verdict.macro_auroc.difference.difference
        sites = {each.site.draw: each.site for each in trainings}
        own = [study.validation.subset(site.own) for site in sites.values()]
        names = self.images.class_names
        return SizeResult(
            own_images=tuple(len(each) for each in own),
            own_lesions=tuple(len(set(each.groups)) for each in own),
            own_of_class=dict(
                zip(names, np.mean([each.class_counts for each in own], 0).tolist(), strict=True)
            ),
            arms=tuple(
                self._figures(arm, judged[arm.name])
                for arm in dict.fromkeys(each.arm for each in trainings)
            ),
            control=control.name,
            use=use.name,
            ceiling=ceiling.name,
            verdict=verdict,
            found=found_of_hundred(
                names,
                ours.sensitivity,
                theirs.sensitivity,
                groups=list(_lesions(self.images).values()),
            ),
            ceiling_gain=ceiling_gain,
            share_of_ceiling=gain / ceiling_gain.difference if ceiling_gain.low > 0 else None,
        )

    def _prior(self, training: Training) -> np.ndarray:
        """Returns the class shares of the last phase, without synthetic images."""
        classes = len(self.images.class_names)
        own = self.study.validation.subset(training.site.own).class_counts
        prior = np.zeros(classes)
        for part in training.arm.phases[-1].parts:
            counts = own if part.source == OWN else np.ones(classes)
            shares = (counts > 0) * 1.0 if part.equal else counts
            prior += part.share * shares / shares.sum()
        return prior / prior.sum()

    def _judged(
        self, trained: TrainedArm, rest: LabelledImages, prior: np.ndarray, *, resampled: bool
    ) -> _Judged:
        correction = PriorCorrection.fit(rest.labels, trained.log_probabilities[VALIDATION], prior)
        labels, weights = self.images.labels, self._weights if resampled else self._weights[:1]
        raw = trained.log_probabilities[self.name]
        corrected = correction.apply(raw)
        return _Judged(
            metrics.macro_auroc(labels, np.exp(raw), weights),
            metrics.class_balanced_log_loss(labels, corrected, weights),
            metrics.class_sensitivity_at_specificity(labels, np.exp(corrected), weights),
        )

    @functools.cached_property
    def _weights(self) -> np.ndarray:
        images = self.images
        return resampling_weights(images.groups, images.labels, replicates=self.replicates, seed=0)

    def _figures(self, arm: Arm, judged: Sequence[_Judged]) -> ArmFigures:
        sensitivity = np.mean([each.sensitivity[0] for each in judged], axis=0)
        names = self.images.class_names
        return ArmFigures(
            arm=arm.name,
            kind=arm.kind,
            trainings=len(judged),
            macro_auroc=OverSeeds.of([each.macro_auroc[0] for each in judged]),
            log_loss=OverSeeds.of([each.log_loss[0] for each in judged]),
            sensitivity=dict(zip(names, map(finite_or_none, sensitivity.tolist()), strict=True)),
        )


def _stacked(judged: Sequence[_Judged], options: SmallSiteOptions) -> _Judged:
    """Stacks the trainings of an arm: [draws, seeds, replicates + 1, ...]."""

    def stack(field: str) -> np.ndarray:
        values = np.stack([getattr(each, field) for each in judged])
        # They are sorted by seed, then by draw.
        by_seed = values.reshape(options.seeds, options.draws, *values.shape[1:])
        return np.swapaxes(by_seed, 0, 1)

    return _Judged(*(stack(field.name) for field in dataclasses.fields(_Judged)))


def _images(images: LabelledImages) -> dict[str, int]:
    return dict(zip(images.class_names, images.class_counts.tolist(), strict=True))


def _lesions(images: LabelledImages) -> dict[str, int]:
    pairs = set(zip(images.labels.tolist(), images.groups, strict=True))
    counts = np.bincount([label for label, _ in pairs], minlength=len(images.class_names))
    return dict(zip(images.class_names, counts.tolist(), strict=True))


def _sentence(sizes: Mapping[int, SizeResult]) -> str:
    """Returns the gain or harm of the generator for each number of own images in words."""
    parts = []
    for size, found in sizes.items():
        use, control = (
            next(each for each in found.arms if each.arm == name)
            for name in (found.use, found.control)
        )
        area = found.verdict.macro_auroc.difference
        share = found.share_of_ceiling
        parts.append(
            f"with {size:,} own images, {found.verdict.words}: macro AUROC "
            f"{use.macro_auroc.mean:.3f} ({found.use}) against {control.macro_auroc.mean:.3f} "
            f"({found.control}), difference {area.difference:+.3f} ({area.corrected_low:+.3f} to "
            f"{area.corrected_high:+.3f})"
            + (f", {share:.0%} of what the other site's real images bring" if share else "")
        )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _warnings(tests: Sequence[ResultOnTests], options: SmallSiteOptions) -> tuple[str, ...]:
    found = []
    if options.draws < 5:
        found.append(f"{options.draws} draws of own images were trained; 5 or more are usual")
    for test in tests:
        few = [f"{name} {count}" for name, count in test.lesions.items() if 0 < count < 20]
        if few:
            found.append(
                f"{test.name} has few lesions of {', '.join(few)}: intervals that depend on these "
                "classes are rough"
            )
        if missing := [name for name, count in test.lesions.items() if not count]:
            found.append(
                f"{test.name} has no images of {', '.join(missing)}: macro figures are over the "
                "other classes"
            )
    return tuple(found)
