"""Compares the arms of small sites: figures of all, and one planned comparison for each size."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.statistics.intervals import Interval
from skin_synth.evaluation.utility.arm_training import TrainedArm
from skin_synth.evaluation.utility.differences import resampling_weights
from skin_synth.evaluation.utility.gain_share import gain_share
from skin_synth.evaluation.utility.metrics import mean_over_classes
from skin_synth.evaluation.utility.planned import (
    found_of_hundred,
    judge,
    macro_difference,
    no_room,
)
from skin_synth.evaluation.utility.predictions import Predictions
from skin_synth.evaluation.utility.recipes import CONTROL, USE, Arm, learnt_shares
from skin_synth.evaluation.utility.results import OverSeeds, finite_or_none
from skin_synth.evaluation.utility.small_site import (
    ADAPTED,
    CEILING,
    OTHER,
    OWN,
    SYNTHETIC,
    SYNTHETIC_ALONE,
    TEST,
    Site,
    SmallSiteOptions,
    SmallSiteStudy,
    Training,
)
from skin_synth.evaluation.utility.small_site_results import (
    ArmFigures,
    ResultOnTests,
    SizeResult,
    SmallSiteResults,
    TrainingOfArms,
)

FEWEST_LESIONS = 20
"""With fewer test lesions of a class, the class's part of an interval is itself uncertain."""
USUAL_DRAWS = 5


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
        train_images=_by_class(study.train, study.train.class_counts),
        validation_images=_by_class(study.validation, study.validation.class_counts),
        tests=found,
        warnings=_warnings(found, options),
    )


class _Measures(NamedTuple):
    """Metrics of each class, float64[rows, classes]: of one training, or stacked."""

    auroc: np.ndarray
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
        rows = np.arange(len(whole))
        nowhere = Site(0, 0, rows[:0], rows)
        judged = [
            self._measures(Training(nowhere, SYNTHETIC_ALONE, seed, each), resampled=False)
            for seed, each in enumerate(alone)
        ]
        return ResultOnTests(
            name=self.name,
            images=_by_class(self.images, self.images.class_counts),
            lesions=_by_class(self.images, self.images.group_counts),
            sizes=sizes,
            synthetic_alone=self._figures(SYNTHETIC_ALONE, judged),
            sentence=_sentence(sizes),
        )

    def _size(self, trainings: Sequence[Training]) -> SizeResult:
        first = [each for each in trainings if each.seed == 0]
        chosen = [self.study.chosen(first, kind) for kind in (CONTROL, USE, CEILING)]
        measured: dict[str, list[_Measures]] = {}
        for each in sorted(trainings, key=lambda each: (each.seed, each.site.draw)):
            found = self._measures(each, resampled=each.arm in chosen)
            measured.setdefault(each.arm.name, []).append(found)
        control, use, ceiling = (_stacked(measured[arm.name], self.study.options) for arm in chosen)
        lesions = self.images.group_counts
        verdict = judge(
            macro_difference(use.auroc, control.auroc, lesions=lesions),
            macro_difference(use.log_loss, control.log_loss, lesions=lesions),
        )
        ceiling_gain = macro_difference(
            ceiling.auroc, control.auroc, lesions=lesions, comparisons=1
        )
        share = gain_share(use.auroc, ceiling.auroc, control.auroc, lesions=lesions)
        sites = {each.site.draw: each.site for each in trainings}
        own = [self.study.validation.subset(site.own) for site in sites.values()]
        return SizeResult(
            own_images=tuple(len(each) for each in own),
            own_lesions=tuple(len(set(each.groups)) for each in own),
            own_of_class=_by_class(self.images, np.mean([each.class_counts for each in own], 0)),
            arms=tuple(
                self._figures(arm, measured[arm.name])
                for arm in dict.fromkeys(each.arm for each in trainings)
            ),
            **dict(zip(("control", "use", "ceiling"), (arm.name for arm in chosen), strict=True)),
            verdict=verdict,
            found=found_of_hundred(
                self.images.class_names,
                use.sensitivity,
                control.sensitivity,
                groups=lesions.tolist(),
            ),
            ceiling_gain=ceiling_gain,
            share_of_ceiling=share.estimate if share else None,
            share_low=share.low if share else None,
            share_high=share.high if share else None,
        )

    def _measures(self, training: Training, *, resampled: bool) -> _Measures:
        validation, site = self.study.validation, training.site
        classes = len(validation.class_names)
        counts = {
            OWN: validation.subset(site.own).class_counts,
            SYNTHETIC: np.ones(classes),
            ADAPTED: np.ones(classes),
            OTHER: self.study.train.class_counts,
        }
        found = Predictions.of(
            training.arm,
            [training.trained],
            validation.labels[site.rest],
            learnt_shares(training.arm, counts),
        )
        weights = self._weights if resampled else self._weights[:1]
        arguments = self.name, self.images.labels, weights
        return _Measures(
            found.class_auroc(*arguments)[0],
            found.class_log_loss(*arguments)[0],
            found.sensitivities(*arguments)[0],
        )

    @functools.cached_property
    def _weights(self) -> np.ndarray:
        images = self.images
        return resampling_weights(images.groups, images.labels, replicates=self.replicates, seed=0)

    def _figures(self, arm: Arm, measured: Sequence[_Measures]) -> ArmFigures:
        sensitivity = np.mean([each.sensitivity[0] for each in measured], axis=0)
        return ArmFigures(
            arm=arm.name,
            kind=arm.kind,
            trainings=len(measured),
            macro_auroc=OverSeeds.of([mean_over_classes(each.auroc[0]) for each in measured]),
            log_loss=OverSeeds.of([mean_over_classes(each.log_loss[0]) for each in measured]),
            sensitivity={
                name: finite_or_none(each)
                for name, each in _by_class(self.images, sensitivity).items()
            },
        )


def _stacked(measured: Sequence[_Measures], options: SmallSiteOptions) -> _Measures:
    """Stacks the trainings of an arm, sorted by seed and draw: [draws, seeds, rows, ...]."""
    shape = options.seeds, options.draws
    columns = (np.stack(column) for column in zip(*measured, strict=True))
    return _Measures(*(each.reshape(*shape, *each.shape[1:]).swapaxes(0, 1) for each in columns))


def _by_class(images: LabelledImages, values: np.ndarray) -> dict[str, Any]:
    return dict(zip(images.class_names, values.tolist(), strict=True))


def _sentence(sizes: Mapping[int, SizeResult]) -> str:
    """Returns the gain or harm of the generator for each number of own images in words."""
    return " ".join(_of_size(size, found) for size, found in sizes.items())


def _of_size(size: int, found: SizeResult) -> str:
    use, control = (
        next(each for each in found.arms if each.arm == name) for name in (found.use, found.control)
    )
    area = found.verdict.macro_auroc.difference
    only = found.verdict.only_shown_by
    return (
        f"With {size:,} own images, {found.verdict.words}: macro AUROC "
        f"{use.macro_auroc.mean:.3f} ({found.use}) against {control.macro_auroc.mean:.3f} "
        f"({found.control}), difference {area.difference:+z.3f} ({area.corrected_low:+z.3f} to "
        f"{area.corrected_high:+z.3f}){_of_ceiling(found.shown_share)}"
        f"{no_room(control.macro_auroc.mean)}." + (f" {only}." if only else "")
    )


def _of_ceiling(share: Interval | None) -> str:
    if share is None:
        return ""
    return (
        f", {share.estimate:z.0%} ({share.low:z.0%} to {share.high:z.0%}) of what the other site's "
        "real images bring"
    )


def _warnings(tests: Sequence[ResultOnTests], options: SmallSiteOptions) -> tuple[str, ...]:
    found = []
    if options.draws < USUAL_DRAWS:
        found.append(
            f"{options.draws} draws of own images were trained; {USUAL_DRAWS} or more are usual"
        )
    for test in tests:
        few = [
            f"{count} of {name}"
            for name, count in test.lesions.items()
            if 0 < count < FEWEST_LESIONS
        ]
        if few:
            found.append(
                f"{test.name} has few lesions of some classes ({', '.join(few)}): intervals that "
                "depend on these classes are rough"
            )
        if missing := [name for name, count in test.lesions.items() if not count]:
            found.append(
                f"{test.name} has no images of {', '.join(missing)}: macro figures are over the "
                "other classes"
            )
    return tuple(found)
