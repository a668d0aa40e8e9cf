"""The cost of a study, estimated from the speed of a few steps and images."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.classifiers.training import Method, Trainer
from skin_synth.evaluation.utility.recipes import pool_of, real_source, single
from skin_synth.generator import ImageGenerator
from tfrecords_tools.progress import estimated_duration

MEASURED_STEPS = 6
MEASURED_IMAGES = 64
REAL = "real"


@dataclasses.dataclass(frozen=True)
class Forecast:
    """The cost of a study with an empty cache.

    Attributes:
        trainings: largest number of trainings; fewer if arms coincide.
        steps: largest number of steps of all trainings together.
        batch_size: images in a step.
        synthetic: images to generate.
        hours: time on this machine under its present load.
    """

    trainings: int
    steps: int
    batch_size: int
    synthetic: int
    hours: float

    def lines(self) -> list[str]:
        """Returns the forecast in words."""
        return [
            f"synthetic images {self.synthetic:,}",
            f"trainings        at most {self.trainings:,}",
            f"steps            at most {self.steps:,} of {self.batch_size} images",
            f"time             {estimated_duration(3600 * self.hours)} on this machine",
        ]


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds of one step, of one prediction and of one synthetic image."""

    step: float
    prediction: float
    synthetic: float


def measure_speed(trainer: Trainer, images: LabelledImages, generator: ImageGenerator) -> Speed:
    """Times a few steps, predictions and synthetic images, after as many for warming up."""
    (phase,) = single(REAL)
    pool, state = pool_of(phase, {REAL: real_source(images)}), trainer.fresh(0)
    few = images.images[:MEASURED_IMAGES]
    labels = np.arange(MEASURED_IMAGES) % len(generator.class_names)

    def steps() -> None:
        measured = range(MEASURED_STEPS)
        trainer.train(state, pool, Method(), seed=0, steps=measured, total=MEASURED_STEPS)

    return Speed(
        _seconds(steps) / MEASURED_STEPS,
        _seconds(lambda: trainer.log_probabilities(state, few)) / len(few),
        _seconds(lambda: generator.generate(labels, labels, truncation=1.0)) / MEASURED_IMAGES,
    )


def _seconds(work: Callable[[], object]) -> float:
    """Returns the seconds of the second call, because the first one compiles."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
