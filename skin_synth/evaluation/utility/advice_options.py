"""Options of `advise`, the arms that it compares, and the cost."""

from __future__ import annotations

import dataclasses

from skin_synth.evaluation.utility.classifiers.networks import RESNET
from skin_synth.evaluation.utility.recipes import USE, Arm, first_then, mixed
from skin_synth.evaluation.utility.small_site import (
    ADAPTED,
    CONTROLS,
    OWN,
    PRETRAINING,
    SYNTHETIC,
)
from tfrecords_tools.errors import InputError

ADVICE_USES = (
    Arm("synthetic, then own", USE, first_then(SYNTHETIC, OWN, PRETRAINING)),
    Arm("own + 50 % synthetic", USE, mixed(OWN, SYNTHETIC, 0.5)),
    Arm("own + 20 % synthetic", USE, mixed(OWN, SYNTHETIC, 0.2)),
)
ADAPTED_ADVICE_USES = (
    Arm("adapted synthetic, then own", USE, first_then(ADAPTED, OWN, PRETRAINING)),
    Arm("own + 50 % adapted synthetic", USE, mixed(OWN, ADAPTED, 0.5)),
)
ALL_ADVICE_ARMS = (*CONTROLS, *ADVICE_USES, *ADAPTED_ADVICE_USES)
PASSES_OVER_OWN_IMAGES = 40
"""Default length of a training, from `FEWEST_ADVICE_STEPS` to `MOST_ADVICE_STEPS`."""
FEWEST_ADVICE_STEPS, MOST_ADVICE_STEPS = 300, 2000
LEAST_STEPS = 24
"""The last phase of "synthetic, then own" has a step for each point of the loss curve."""
LARGEST_ADVICE_SEED = 2**56 - 1
MOST_ADVICE_SEEDS = 64


@dataclasses.dataclass(frozen=True)
class AdviceOptions:
    """Settings of `advise`.

    Attributes:
        classifier: resnet, finetuned or small, see `make_classifier`.
        weights: file with the ImageNet weights of finetuned; None downloads them.
        folds: parts of the own images, 2 to 20.
        seeds: trainings of the chosen arms in each fold, 2 to 64.
        steps: of each training, 24 or more; None: 40 passes over the own images, within 300 and
            2,000 steps.
        batch_size: images in a step.
        pool: synthetic images of each class.
        seed: of folds, trainings and synthetic images, below 2**56.
        replicates: of the bootstrap over lesions, 100 or more.
        keep_test: whether to leave out the test split of the data set.
        adapt_images: images that the generator is shown when it is adapted to own images, for two
            more uses; 0: it is not adapted.
    """

    classifier: str = RESNET
    weights: str | None = None
    folds: int = 4
    seeds: int = 3
    steps: int | None = None
    batch_size: int = 64
    pool: int = 1000
    seed: int = 0
    replicates: int = 1000
    keep_test: bool = False
    adapt_images: int = 0

    def __post_init__(self) -> None:
        limits = {
            "folds": (2, 20),
            "seeds": (2, MOST_ADVICE_SEEDS),
            "steps": (LEAST_STEPS, None),
            "batch_size": (2, None),
            "pool": (1, None),
            "seed": (0, LARGEST_ADVICE_SEED),
            "replicates": (100, None),
            "adapt_images": (0, None),
        }
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if value is not None and (value < least or (most is not None and value > most)):
                upwards = "or more" if most is None else f"to {most}"
                raise InputError(f"{name} must be {least} {upwards}, got {value}")

    def steps_for(self, images: int) -> int:
        """Returns the steps of each training on this number of own images."""
        if self.steps is not None:
            return self.steps
        wanted = PASSES_OVER_OWN_IMAGES * images // self.batch_size
        return min(max(wanted, FEWEST_ADVICE_STEPS), MOST_ADVICE_STEPS)

    @property
    def uses(self) -> tuple[Arm, ...]:
        """The uses of synthetic images that are compared."""
        return (*ADVICE_USES, *ADAPTED_ADVICE_USES) if self.adapt_images else ADVICE_USES

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms: the controls and the uses."""
        return (*CONTROLS, *self.uses)

    @property
    def trainings(self) -> int:
        """Number of trainings; the last one is on all own images."""
        return self.folds * (len(self.arms) + 2 * (self.seeds - 1)) + 1

    @property
    def most_adaptations(self) -> int:
        """Number of adapted generators, if a use of them is selected and advised."""
        return self.folds * self.seeds + 1 if self.adapt_images else 0

    def most_steps(self, images: int) -> int:
        """Returns the steps of all trainings if the use with the most steps is chosen."""
        steps = self.steps_for(images)
        shared = round(PRETRAINING * steps)
        first = self.folds * len(self.arms) * steps - (self.folds - 1) * shared
        return first + (self.seeds - 1) * 2 * self.folds * steps + steps
