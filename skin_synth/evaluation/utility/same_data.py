"""The arms of the utility study, where generator and classifier have the same training data.

All arms have the same steps, batches and hyper-parameters. Synthetic images have equal class
shares. They are useful only if they beat real images with equal class shares in the same part of
each batch or in the same steps. So each use has such a control, with and without MixUp.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.training import Method, State
from skin_synth.evaluation.utility.recipes import (
    CONTROL,
    INFORMATION,
    USE,
    Arm,
    GenerateImages,
    Part,
    Phase,
    Source,
    first_then,
    mixed,
    real_source,
    single,
    synthetic_source,
)
from skin_synth.provenance import content_hash

REAL, SYNTHETIC = "real", "synthetic"
PRETRAINING = 1 / 3
"""Share of the steps before the steps on real images at natural class shares."""
MIXUP = Method(mixup=True)
UNAUGMENTED = Arm("real", CONTROL, single(REAL), Method(augmented=False))
AUGMENTED = Arm("real, augmented", CONTROL, single(REAL))
MATCHED = {
    "real, 25 % at equal shares": mixed(REAL, REAL, 0.25),
    "real, 50 % at equal shares": mixed(REAL, REAL, 0.5),
    "real, equal shares first": first_then(REAL, REAL, PRETRAINING),
}
"""Phases of the controls with real images in place of synthetic ones."""
TEACHER = Arm("real, augmented + MixUp", CONTROL, single(REAL), MIXUP)
TEACHER_SEEDS = (10_000, 10_001, 10_002)
"""Seeds that no arm of a study uses."""


def with_and_without_mixup(name: str, kind: str, phases: tuple[Phase, ...]) -> tuple[Arm, Arm]:
    """Returns two arms that differ only in MixUp."""
    return Arm(name, kind, phases), Arm(f"{name} + MixUp", kind, phases, MIXUP)


def matched(use: Arm) -> tuple[Arm, ...]:
    """Returns the controls of `MATCHED` with the method of a use."""
    number = int(use.method.mixup)
    return tuple(
        with_and_without_mixup(name, CONTROL, phases)[number] for name, phases in MATCHED.items()
    )


def make_arms(class_counts: np.ndarray) -> tuple[Arm, ...]:
    """Makes all arms: controls, uses, and synthetic images alone for information.

    Args:
        class_counts: int[classes], real training images.
    """
    controls = {AUGMENTED.name: single(REAL), "real, equal shares": single(REAL, equal=True)}
    uses = {
        "25 % synthetic": mixed(REAL, SYNTHETIC, 0.25),
        "50 % synthetic": mixed(REAL, SYNTHETIC, 0.5),
        "synthetic first": first_then(SYNTHETIC, REAL, PRETRAINING),
        "filled with synthetic": filled(class_counts),
        "50 % synthetic, labels of a teacher": half_taught(SYNTHETIC, len(class_counts)),
    }
    if (class_counts == class_counts.max()).all():
        del uses["filled with synthetic"]  # nothing to fill
    taught = half_taught(REAL, len(class_counts))
    return (
        UNAUGMENTED,
        *(
            arm
            for name, phases in (controls | MATCHED).items()
            for arm in with_and_without_mixup(name, CONTROL, phases)
        ),
        Arm("real, logit-adjusted loss", CONTROL, single(REAL), Method(logit_adjusted=True)),
        Arm("real, 50 % with labels of a teacher + MixUp", CONTROL, taught, MIXUP),
        *(
            arm
            for name, phases in uses.items()
            for arm in with_and_without_mixup(name, USE, phases)
        ),
        Arm("synthetic alone", INFORMATION, single(SYNTHETIC, equal=True)),
    )


def filled(class_counts: np.ndarray) -> tuple[Phase, ...]:
    """Fills each class with synthetic images to the size of the largest, as `balance` does.

    So the class shares of the batches are equal.
    """
    whole = len(class_counts) * class_counts.max()
    missing = class_counts.max() - class_counts
    return (
        Phase(
            (
                Part(REAL, float(class_counts.sum() / whole)),
                *(
                    Part(filler(label), float(count / whole))
                    for label, count in enumerate(missing)
                    if count
                ),
            )
        ),
    )


def half_taught(source: str, classes: int) -> tuple[Phase, ...]:
    """Takes half of each batch from images with labels of a teacher, at equal class shares.

    These classes are the true or requested ones, not those of the teacher.
    """
    parts = [Part(taught(source, label), 0.5 / classes) for label in range(classes)]
    return (Phase((Part(REAL, 0.5), *parts)),)


def taught(source: str, label: int) -> str:
    """Returns the name of the source of one class with labels of a teacher."""
    return f"{source} of class {label}, labels of a teacher"


def filler(label: int) -> str:
    """Returns the name of the source of synthetic images that fill a class."""
    return f"synthetic, to fill class {label}"


def class_counts_of(class_counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the class counts of all sources by name, for `learnt_shares`.

    Args:
        class_counts: int[classes], real training images.
    """
    classes = len(class_counts)
    one_class = {
        name: row
        for label, row in enumerate(np.eye(classes))
        for name in (filler(label), taught(REAL, label), taught(SYNTHETIC, label))
    }
    return {REAL: class_counts, SYNTHETIC: np.ones(classes), **one_class}


@dataclasses.dataclass(frozen=True, eq=False)
class Sources:
    """All training images of the classifiers of a study.

    Attributes:
        train: real images; the generator may have been trained on them.
        generate: generates synthetic images.
        generator_id: identifies `generate` in the cache.
        pool: synthetic images of each class for each seed.
        training: trains the teachers.
    """

    train: LabelledImages
    generate: GenerateImages
    generator_id: str
    pool: int
    training: ArmTraining

    def of_seed(self, seed: int) -> dict[str, Source]:
        """Returns all sources by name; each seed has different synthetic images.

        Teachers are networks trained on real images only; labels are their mean probabilities.
        """
        synthetic, counts = self._synthetic(seed), self.train.class_counts
        found = {REAL: self.real, SYNTHETIC: synthetic}
        labelled = {REAL: self._real_by_teacher, SYNTHETIC: self._by_teacher(synthetic)}
        classes = np.repeat(np.arange(len(counts)), self.pool)
        for label, missing in enumerate(counts.max() - counts):
            rows = np.flatnonzero(classes == label)
            found[filler(label)] = _rows(synthetic, rows[:missing])
            found[taught(SYNTHETIC, label)] = _rows(labelled[SYNTHETIC], rows)
            real_rows = np.flatnonzero(self.train.labels == label)
            found[taught(REAL, label)] = _rows(labelled[REAL], real_rows)
        return found

    @functools.cached_property
    def real(self) -> Source:
        """The real training images."""
        return real_source(self.train)

    def _synthetic(self, seed: int) -> Source:
        key = f"{self.generator_id} {self.pool} of {len(self.train.class_names)} classes"
        return synthetic_source(
            self.generate, self.pool, self.train, seed=seed, key=f"{key}, seed {seed}"
        )

    @functools.cached_property
    def _real_by_teacher(self) -> Source:
        return self._by_teacher(self.real)

    @functools.cached_property
    def _teachers(self) -> list[State]:
        real = {REAL: self.real}
        return [self.training.trained_state(TEACHER, real, seed=s) for s in TEACHER_SEEDS]

    def _by_teacher(self, source: Source) -> Source:
        training, real = self.training, {REAL: self.real}
        keys = [training.key(TEACHER, real, 1, seed) for seed in TEACHER_SEEDS]

        def label() -> dict[str, np.ndarray]:
            images, _ = source.content
            each = [training.trainer.log_probabilities(state, images) for state in self._teachers]
            return {"targets": np.mean(np.exp(each), axis=0).astype(np.float32)}

        def load() -> tuple[np.ndarray, np.ndarray]:
            found = training.cache.arrays("teacher", (source.key, *keys), label)
            return source.content[0], found["targets"]

        return Source(f"{source.key}, labels of the teachers {keys}", load)


def _rows(source: Source, rows: np.ndarray) -> Source:
    """Returns the images of some rows, int64[n]."""

    def load() -> tuple[np.ndarray, np.ndarray]:
        images, targets = source.content
        return images[rows], targets[rows]

    return Source(f"{source.key}, rows {content_hash(rows)}", load)
