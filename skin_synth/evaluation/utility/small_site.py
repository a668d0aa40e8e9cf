"""The small site: few own images, and a generator that was trained on other lesions.

Does the generator help the site's classifier, how, and up to how many own images? The own images
are drawn from the validation split: whole lesions at natural class shares. The generator was
trained on the training split. The test split judges. Each draw of own images is trained with
several seeds.

One use and one control are compared for each number of own images. The rest of the validation split
selects both, by the mean macro AUROC over draws, with the first seed only. The other seeds train
only the selected arms. The ceiling uses real images of the other site instead of synthetic ones. It
is selected in the same way.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arm_training import (
    VALIDATION,
    ArmTraining,
    HeldOut,
    TrainedArm,
    held_out_images,
)
from skin_synth.evaluation.utility.classifiers.networks import RESNET, make_classifier
from skin_synth.evaluation.utility.classifiers.training import Method
from skin_synth.evaluation.utility.recipes import (
    CONTROL,
    INFORMATION,
    USE,
    Arm,
    GenerateImages,
    Source,
    first_then,
    mixed,
    real_source,
    single,
    synthetic_source,
)
from skin_synth.random_streams import EvaluationStream
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress

CEILING = "ceiling"
"""The kind of arms with real images of the other site instead of synthetic ones."""
OWN, SYNTHETIC, ADAPTED, OTHER = "own", "synthetic", "adapted", "other site"
"""Names of the sources: images of the site, synthetic images, synthetic images after the generator
was adapted to the own images, real images of the training split."""
TEST = "test"
PRETRAINING = 3 / 4
"""Share of the steps on other images, before the steps on own images."""
CONTROLS = (
    Arm("own images", CONTROL, single(OWN)),
    Arm("own images, equal shares", CONTROL, single(OWN, equal=True)),
    Arm("own images, MixUp", CONTROL, single(OWN), Method(mixup=True)),
)
USES = (
    Arm("synthetic, then own", USE, first_then(SYNTHETIC, OWN, PRETRAINING)),
    Arm("own + synthetic 1:1", USE, mixed(OWN, SYNTHETIC, 0.5)),
)
ADAPTED_USES = (
    Arm("adapted synthetic, then own", USE, first_then(ADAPTED, OWN, PRETRAINING)),
    Arm("own + adapted synthetic 1:1", USE, mixed(OWN, ADAPTED, 0.5)),
)
CEILINGS = (
    Arm("other site's images, then own", CEILING, first_then(OTHER, OWN, PRETRAINING)),
    Arm("own + other site's images 1:1", CEILING, mixed(OWN, OTHER, 0.5)),
)
SYNTHETIC_ALONE = Arm("synthetic alone", INFORMATION, single(SYNTHETIC, equal=True))


class AdaptGenerator(Protocol):
    """Adapts a generator to own images."""

    def __call__(self, own: LabelledImages) -> GenerateImages:
        """Returns the adapted generator."""

    def key(self, own: LabelledImages) -> str:
        """Identifies the adapted generator in the cache."""


@dataclasses.dataclass(frozen=True)
class SmallSiteOptions:
    """Settings of the study.

    Attributes:
        sizes: approximate numbers of own images, because whole lesions are drawn.
        draws: number of draws of own images, 2 or more.
        seeds: number of seeds of each training, 2 or more.
        steps: steps of each training, over all phases.
        pool: synthetic images of each class.
        classifier: `resnet`, `finetuned` or `small`, see `classifiers.networks`.
        weights: file with the ImageNet weights of finetuned; None downloads them.
        batch_size: images in a step.
        adapt_images: images that the generator is shown when it is adapted to the own images of a
            site; 0: it is not adapted.
    """

    sizes: tuple[int, ...] = (100, 300, 1000)
    draws: int = 5
    seeds: int = 2
    steps: int = 480
    pool: int = 2000
    classifier: str = RESNET
    weights: str | os.PathLike[str] | None = None
    batch_size: int = 64
    adapt_images: int = 0

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 1 or len(set(self.sizes)) < len(self.sizes):
            raise InputError(f"sizes must be different numbers above 0, got {self.sizes}")
        for name, least in (
            ("draws", 2),
            ("seeds", 2),
            ("steps", 10),
            ("pool", 1),
            ("batch_size", 2),
            ("adapt_images", 0),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be {least} or more, got {getattr(self, name)}")
        make_classifier(self.classifier, self.weights)  # refuses before any training

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms of a site."""
        uses = (*USES, *ADAPTED_USES) if self.adapt_images else USES
        return (*CONTROLS, *uses, *CEILINGS)

    @property
    def trainings(self) -> int:
        """Number of trainings with own images."""
        return sum(self.trainings_of_site) * len(self.sizes) * self.draws

    @property
    def trainings_of_site(self) -> tuple[int, int]:
        """Trainings of one site: all arms with the first seed, selected arms with the others."""
        return len(self.arms), 3 * (self.seeds - 1)

    @property
    def most_steps(self) -> int:
        """Largest number of steps of all trainings; it depends on the selected arms."""
        shared = 2 * self.seeds * round(PRETRAINING * self.steps)
        # Each site has its own adapted images, so no other site shares a phase with them.
        first = sum(
            self.steps if ADAPTED in arm.sources else len(arm.steps(self.steps)[-1])
            for arm in self.arms
        )
        later = 3 * self.steps
        of_sites = len(self.sizes) * self.draws * (first + (self.seeds - 1) * later)
        return shared + of_sites + self.seeds * self.steps


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """One draw: rows of the validation split for the own images, and the rest."""

    size: int
    draw: int
    own: np.ndarray
    rest: np.ndarray


def draw_site(validation: LabelledImages, size: int, draw: int) -> Site:
    """Draws whole lesions until they have `size` images or more.

    The same draw of two sizes is nested: the larger site has all lesions of the smaller one.

    Raises:
        InputError: too few images for the draw and the selection.
    """
    groups, code = np.unique(np.asarray(validation.groups), return_inverse=True)
    rng = np.random.default_rng([EvaluationStream.SMALL_SITE_DRAW, draw])
    place = np.empty(len(groups), np.int64)
    place[rng.permutation(len(groups))] = np.arange(len(groups))
    sizes = np.bincount(place[code])
    lesions = int(np.searchsorted(np.cumsum(sizes), size)) + 1
    own = place[code] < lesions
    # The macro AUROC that selects the arms needs two classes.
    if own.sum() < size or len(set(validation.labels[~own])) < 2:
        raise InputError(
            f"a site of {size} images needs a larger validation split, whose other images, of two "
            f"classes or more, select the arms: it has {len(validation)}"
        )
    return Site(size, draw, np.flatnonzero(own), np.flatnonzero(~own))


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """One finished training: its site, arm, seed and predictions."""

    site: Site
    arm: Arm
    seed: int
    trained: TrainedArm


@dataclasses.dataclass(frozen=True, eq=False)
class SmallSiteStudy:
    """Trains the arms of the study.

    Attributes:
        train: real images of the other site; the generator may have been trained on them.
        validation: source of the own images; the rest selects the arms.
        test: the test images.
        generate: generates synthetic images.
        generator_id: identifies `generate` in the cache.
        options: of the study.
        training: trains an arm.
        external: further test sets, by name.
        adapt: adapts the generator to own images; needed with `adapt_images`.

    Raises:
        InputError: the validation split is too small for one of the sizes (`draw_site`).
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    generate: GenerateImages
    generator_id: str
    options: SmallSiteOptions
    training: ArmTraining
    external: Mapping[str, LabelledImages] = dataclasses.field(default_factory=dict)
    adapt: AdaptGenerator | None = None

    def __post_init__(self) -> None:
        for size in self.options.sizes:  # before the hours of a smaller one
            self._sites(size)

    def _sites(self, size: int) -> list[Site]:
        return [draw_site(self.validation, size, draw) for draw in range(self.options.draws)]

    def trainings(self) -> list[Training]:
        """Trains all arms of all sites, or reads the cache; see the module docstring."""
        found = []
        options = self.options
        with Progress(
            total=options.trainings, unit="classifiers", description="small site"
        ) as progress:
            for size in options.sizes:
                sites = self._sites(size)
                first = []
                for site in sites:
                    for arm in options.arms:
                        first.append(self._trained(site, arm, 0))
                        progress.update(reused=first[-1].trained.reused)
                chosen = [self.chosen(first, kind) for kind in (CONTROL, USE, CEILING)]
                found += first
                for site in sites:
                    for seed in range(1, options.seeds):
                        for arm in chosen:
                            found.append(self._trained(site, arm, seed))
                            progress.update(reused=found[-1].trained.reused)
        return found

    def chosen(self, trainings: list[Training], kind: str) -> Arm:
        """Returns the arm of a kind with the best mean macro AUROC on the rest of validation."""
        arms = list(dict.fromkeys(each.arm for each in trainings if each.arm.kind == kind))

        def figure(arm: Arm) -> float:
            return float(
                np.mean([self._on_validation(each) for each in trainings if each.arm == arm])
            )

        return max(arms, key=figure)

    def _on_validation(self, training: Training) -> float:
        labels = self.validation.labels[training.site.rest]
        probabilities = np.exp(training.trained.log_probabilities[VALIDATION])
        return float(metrics.macro_auroc(labels, probabilities))

    def synthetic_alone(self) -> list[TrainedArm]:
        """Trains on synthetic images only, once for each seed."""
        held_out = {VALIDATION: held_out_images(self.validation), **self._tests}
        sources = {SYNTHETIC: self._synthetic}
        return [
            self.training.run(SYNTHETIC_ALONE, sources, held_out, seed=seed)
            for seed in range(self.options.seeds)
        ]

    def _trained(self, site: Site, arm: Arm, seed: int) -> Training:
        own = self.validation.subset(site.own)
        sources = {OWN: real_source(own), SYNTHETIC: self._synthetic, OTHER: self._other}
        if self.adapt is not None:
            sources[ADAPTED] = self._adapted(own, self.adapt)
        held_out = {VALIDATION: held_out_images(self.validation.subset(site.rest)), **self._tests}
        trained = self.training.run(arm, sources, held_out, seed=seed)
        return Training(site, arm, seed, trained)

    @functools.cached_property
    def _tests(self) -> dict[str, HeldOut]:
        return {TEST: held_out_images(self.test)} | {
            name: held_out_images(images) for name, images in self.external.items()
        }

    @functools.cached_property
    def _other(self) -> Source:
        return real_source(self.train)

    @functools.cached_property
    def _synthetic(self) -> Source:
        return self._generated(self.generate, self.generator_id)

    def _adapted(self, own: LabelledImages, adapt: AdaptGenerator) -> Source:
        # The generator is adapted when a training needs its images, not for an entry of the cache.
        return self._generated(lambda *request: adapt(own)(*request), adapt.key(own))

    def _generated(self, generate: GenerateImages, generator_id: str) -> Source:
        pool = self.options.pool
        key = f"{generator_id} {pool} of {len(self.train.class_names)} classes"
        return synthetic_source(generate, pool, self.train, seed=0, key=key)
