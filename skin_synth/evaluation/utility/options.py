"""Options of the utility study, checked when they are made."""

from __future__ import annotations

import dataclasses
import os

from skin_synth.evaluation.utility.classifiers.networks import (
    CLASSIFIERS,
    FINETUNED,
    RESNET,
    make_classifier,
)
from tfrecords_tools.errors import InputError

DEFAULT_SEEDS = 5
DEFAULT_STEPS = 600
DEFAULT_CLASSIFIERS = (RESNET,)
BATCH_SIZE = 64
LARGEST_DEFAULT_POOL = 2000
POLICIES = ("float32", "mixed_bfloat16")
"""Policies of Keras that need no loss scaling."""


@dataclasses.dataclass(frozen=True)
class UtilityOptions:
    """What a caller chooses.

    Attributes:
        seeds: trainings of each compared arm, 2 or more; 8 for a publication. Each has different
            weights, batches and synthetic images.
        classifiers: `resnet`, `finetuned` or `small`, see
            `classifiers.networks`. The first one gives the verdict of the study.
        weights: file with the ImageNet weights of finetuned; None downloads them.
        steps: batches of each training, 10 or more.
        batch_size: images in a step.
        pool: synthetic images of each class for each seed; None: as many as the largest class has,
            up to 2,000.
        policy: dtype policy of Keras: float32 or mixed_bfloat16.
        replicates: of the bootstrap, 100 or more.
    """

    seeds: int = DEFAULT_SEEDS
    classifiers: tuple[str, ...] = DEFAULT_CLASSIFIERS
    weights: str | os.PathLike[str] | None = None
    steps: int = DEFAULT_STEPS
    batch_size: int = BATCH_SIZE
    pool: int | None = None
    policy: str = "float32"
    replicates: int = 1000

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise InputError(
                f"needs two seeds or more to distinguish a gain from luck, got {self.seeds}; "
                f"{DEFAULT_SEEDS} are usual"
            )
        for name, least in (("steps", 10), ("batch_size", 2), ("replicates", 100)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if self.pool is not None and self.pool < 1:
            raise InputError(f"pool must be 1 or more, got {self.pool}")
        if self.policy not in POLICIES:
            raise InputError(f"policy must be one of {', '.join(POLICIES)}, got {self.policy!r}")
        chosen = self.classifiers
        if not chosen or set(chosen) - set(CLASSIFIERS) or len(set(chosen)) < len(chosen):
            raise InputError(
                f"classifiers must be different ones of {', '.join(CLASSIFIERS)}, got "
                f"{', '.join(chosen) or 'none'}"
            )
        if FINETUNED in chosen:
            make_classifier(FINETUNED, self.weights)  # refuses wrong weights before any training
