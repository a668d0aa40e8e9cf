"""Trains all arms with one kind of classifier, selects on validation, compares on test images.

Every arm is screened with two seeds. The validation images select one use and one control. The
comparison trains both with other seeds, because the selected arms were lucky in the seeds of the
screening. It also trains the controls with real images in place of synthetic ones.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.arm_training import (
    VALIDATION,
    HeldOut,
    TrainedArm,
    held_out_images,
)
from skin_synth.evaluation.utility.differences import resampling_weights
from skin_synth.evaluation.utility.metrics import mean_over_classes
from skin_synth.evaluation.utility.planned import (
    choose,
    found_of_hundred,
    judge,
    macro_difference,
)
from skin_synth.evaluation.utility.predictions import Predictions
from skin_synth.evaluation.utility.recipes import CONTROL, INFORMATION, USE, Arm, learnt_shares
from skin_synth.evaluation.utility.results import (
    ClassifierResult,
    ComparedArm,
    Comparison,
    HeldOutSet,
    MeasureDifferences,
    OverSeeds,
    ScreenedArm,
)
from skin_synth.evaluation.utility.same_data import (
    AUGMENTED,
    UNAUGMENTED,
    Sources,
    class_counts_of,
    make_arms,
    matched,
)
from tfrecords_tools.progress import Progress

SCREENING_SEEDS = 2
MOST_COMPARED = 5
"""The use, the control and three matched controls."""
STILL_FALLS = 0.02
"""In an unfinished curve the validation loss falls by this share between the last two points."""


@dataclasses.dataclass(frozen=True, eq=False)
class SameDataStudy:
    """The study with one kind of classifier.

    Attributes:
        sources: sources of the trainings, and the trainer.
        validation: selects the use and the control, and fits the corrections.
        tests: test sets by name; the test split is the first one.
        seeds: trainings of each compared arm.
        replicates: of the bootstrap.
    """

    sources: Sources
    validation: LabelledImages
    tests: Mapping[str, LabelledImages]
    seeds: int
    replicates: int

    def result(self) -> ClassifierResult:
        """Trains all arms, or reads the cache, and compares them."""
        arms = make_arms(self.sources.train.class_counts)
        total = most_trainings(len(arms), self.seeds)
        name = self.sources.training.trainer.classifier.name
        with Progress(total=total, unit="classifiers", description=f"utility, {name}") as progress:
            screened = self._trained(arms, range(SCREENING_SEEDS), progress)
            use, control = (self.chosen(screened, kind) for kind in (USE, CONTROL))
            compared = dict.fromkeys((use, control, *matched(use)))
            last = SCREENING_SEEDS + self.seeds
            found = self._trained(compared, range(SCREENING_SEEDS, last), progress)
        return ClassifierResult(
            classifier=name,
            use=use.name,
            control=control.name,
            screened=tuple(self._screened(each) for each in screened),
            comparisons=tuple(self._comparison(found, name) for name in self.tests),
            curves={each.arm.name: each.curve for each in found[:2]},
            warnings=tuple(self._warnings(screened, found[:2])),
        )

    def chosen(self, screened: Iterable[Predictions], kind: str) -> Arm:
        """Returns the arm of a kind with the best mean macro AUROC on validation images."""
        arms = {each.arm.name: each for each in screened if each.arm.kind == kind}
        figures = {name: self._on_validation(each) for name, each in arms.items()}
        return arms[choose([*arms], figures)].arm

    def _on_validation(self, found: Predictions) -> np.ndarray:
        return mean_over_classes(found.class_auroc(VALIDATION, self.validation.labels))

    def _trained(self, arms: Iterable[Arm], seeds: range, progress: Progress) -> list[Predictions]:
        trained: dict[Arm, list[TrainedArm]] = {arm: [] for arm in arms}
        for seed in seeds:
            sources = self.sources.of_seed(seed)
            for arm, of_arm in trained.items():
                run = self.sources.training.run
                of_arm.append(run(arm, sources, self._held_out, seed=seed))
                progress.update(reused=of_arm[-1].reused)
        counts = class_counts_of(self.sources.train.class_counts)
        return [
            Predictions.of(arm, of_arm, self.validation.labels, learnt_shares(arm, counts))
            for arm, of_arm in trained.items()
        ]

    @functools.cached_property
    def _held_out(self) -> dict[str, HeldOut]:
        return {
            name: held_out_images(each)
            for name, each in {VALIDATION: self.validation, **self.tests}.items()
        }

    @functools.cached_property
    def _natural(self) -> np.ndarray:
        return self.validation.class_counts / len(self.validation)

    def _screened(self, found: Predictions) -> ScreenedArm:
        name, images = next(iter(self.tests.items()))
        return ScreenedArm(
            found.arm.name,
            found.arm.kind,
            OverSeeds.of(self._on_validation(found)),
            found.figures(name, images, self._natural),
            found.curve,
        )

    def _comparison(self, compared: list[Predictions], name: str) -> Comparison:
        images = self.tests[name]
        weights = resampling_weights(
            images.groups, images.labels, replicates=self.replicates, seed=0
        )
        lesions = images.group_counts
        groups = tuple(lesions.tolist())
        use, control, *others = compared
        arguments = name, images.labels, weights
        area, loss = use.class_auroc(*arguments), use.class_log_loss(*arguments)
        differences = {
            each.arm.name: MeasureDifferences(
                macro_difference(area[None], each.class_auroc(*arguments)[None], lesions=lesions),
                macro_difference(
                    loss[None], each.class_log_loss(*arguments)[None], lesions=lesions
                ),
            )
            for each in (control, *others)
        }
        planned = differences[control.arm.name]
        ensemble = Arm(
            f"{self.seeds} networks of “{control.arm.name}”, averaged",
            INFORMATION,
            control.arm.phases,
            control.arm.method,
        )
        return Comparison(
            HeldOutSet(name, tuple(images.class_counts.tolist()), groups),
            tuple(
                ComparedArm(
                    each.arm.name,
                    each.arm.kind,
                    each.figures(name, images, self._natural),
                    differences.get(each.arm.name),
                )
                for each in [*compared, control.averaged(ensemble)]
            ),
            judge(planned.macro_auroc, planned.log_loss),
            found_of_hundred(
                images.class_names,
                use.sensitivities(*arguments)[None],
                control.sensitivities(*arguments)[None],
                groups=groups,
            ),
        )

    def _warnings(
        self, screened: Iterable[Predictions], compared: Iterable[Predictions]
    ) -> Iterable[str]:
        means = {each.arm: float(self._on_validation(each).mean()) for each in screened}
        if means[AUGMENTED] <= means[UNAUGMENTED]:
            yield (
                "augmentation of the real images does not help on validation images, so the "
                "classifier learns too little to judge (it underfits): train for more steps"
            )
        falling = [
            each.arm.name
            for each in compared
            if each.curve.validation_loss[-1] < (1 - STILL_FALLS) * each.curve.validation_loss[-2]
        ]
        if falling:
            yield (
                f"the validation loss still falls at the end of the trainings "
                f"({'; '.join(falling)}): train for more steps"
            )


def most_trainings(arms: int, seeds: int) -> int:
    """Returns the largest number of trainings of one kind of classifier, without teachers."""
    return arms * SCREENING_SEEDS + MOST_COMPARED * seeds
