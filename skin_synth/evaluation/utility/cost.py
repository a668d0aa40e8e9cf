"""The cost of a utility study: trainings, steps and hours, from a few measured steps."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.arm_training import CURVE_IMAGES, CURVE_POINTS
from skin_synth.evaluation.utility.classifiers.training import Trainer
from skin_synth.evaluation.utility.comparison import SCREENING_SEEDS, most_trainings
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.recipes import Source, one_hot, pool_of, single
from skin_synth.evaluation.utility.same_data import REAL, TEACHER, TEACHER_SEEDS, make_arms
from skin_synth.evaluation.utility.study import load_study_splits, pool_size, utility_trainer
from skin_synth.generator import ImageGenerator, check_same_data

MEASURED_STEPS = 8
MEASURED_IMAGES = 256


@dataclasses.dataclass(frozen=True)
class StudyCost:
    """The cost of a study with an empty cache.

    Attributes:
        trainings: largest number of trainings, with teachers; fewer if arms coincide.
        steps: steps of all trainings.
        hours: time on this machine under its present load.
    """

    trainings: int
    steps: int
    hours: float

    @property
    def sentence(self) -> str:
        """The cost in words."""
        return (
            f"the utility study trains at most {self.trainings:,} classifiers, {self.steps:,} "
            f"steps, in about {self.hours:.1f} hours on this machine"
        )


def measure_cost(
    run: ImageGenerator, data_dir: str | os.PathLike[str], options: UtilityOptions
) -> StudyCost:
    """Measures a few steps, predictions and synthetic images; writes nothing.

    Raises:
        InputError: see `study_run`.
    """
    check_same_data(run, data_dir)
    train, validation, test = load_study_splits(data_dir)
    arms = len(make_arms(train.class_counts))
    trainings = most_trainings(arms, options.seeds)
    predicted = len(validation) + len(test) + (CURVE_POINTS + 1) * CURVE_IMAGES
    synthetic = pool_size(options, train) * len(train.class_names)
    generated = synthetic * (SCREENING_SEEDS + options.seeds)
    generation = _seconds_per_synthetic_image(run)
    seconds = 0.0
    for name in options.classifiers:
        step, prediction = _seconds(utility_trainer(name, train, options), train)
        seconds += generation * generated + (trainings + len(TEACHER_SEEDS)) * options.steps * step
        labelled = len(TEACHER_SEEDS) * (generated + len(train))
        seconds += (trainings * predicted + labelled) * prediction
    trainings = len(options.classifiers) * (trainings + len(TEACHER_SEEDS))
    return StudyCost(trainings, trainings * options.steps, seconds / 3600)


def _seconds(trainer: Trainer, train: LabelledImages) -> tuple[float, float]:
    """Returns seconds of a step, and of a prediction for one image."""
    targets = one_hot(train.labels, len(train.class_names))
    (phase,) = single(REAL)
    pool = pool_of(phase, {REAL: Source("", lambda: (train.images, targets))})
    state = trainer.fresh(0)
    images = train.images[:MEASURED_IMAGES]

    def steps() -> None:
        last = range(MEASURED_STEPS)
        trainer.train(state, pool, TEACHER.method, seed=0, steps=last, total=MEASURED_STEPS)

    step = _timed(steps) / MEASURED_STEPS
    return step, _timed(lambda: trainer.log_probabilities(state, images)) / len(images)


def _seconds_per_synthetic_image(run: ImageGenerator) -> float:
    classes = len(run.class_names)
    count = min(MEASURED_IMAGES, classes * 32)
    labels = np.arange(count) % classes
    return _timed(lambda: run.generate(labels, np.arange(count), truncation=1.0)) / count


def _timed(work: Callable[[], object]) -> float:
    """Returns the seconds of the second call, because the first one compiles."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
