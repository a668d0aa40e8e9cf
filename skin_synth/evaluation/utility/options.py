"""Options of the utility study, checked when they are made."""

from __future__ import annotations

import dataclasses

from skin_synth.evaluation.utility.arms import make_arms
from tfrecords_tools.errors import InputError

DEFAULT_SEEDS = 5
DEFAULT_RATIOS = (0.25, 1.0, 4.0)
PASSES_OVER_REAL_IMAGES = 15
FEWEST_STEPS, MOST_STEPS = 300, 2000
LARGEST_DEFAULT_POOL = 1000


@dataclasses.dataclass(frozen=True)
class UtilityOptions:
    """Settings of the study.

    Attributes:
        seeds: trainings of each arm, 2 or more, each with different weights, batches and synthetic
            images.
        ratios: synthetic images drawn for each real one; each ratio makes an arm.
        steps: batches of each training; None: see `default_steps`.
        pool: synthetic images of each class for each seed; None: as many as the largest class has,
            up to 1,000.
        views: views of each real training image for a frozen extractor; the first is unchanged.
        replicates: of the bootstrap, 100 or more.
    """

    seeds: int = DEFAULT_SEEDS
    ratios: tuple[float, ...] = DEFAULT_RATIOS
    steps: int | None = None
    pool: int | None = None
    views: int = 4
    replicates: int = 1000

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise InputError(
                f"needs two seeds or more to distinguish a gain from luck, got {self.seeds}; "
                f"{DEFAULT_SEEDS} are usual"
            )
        make_arms(self.ratios)
        for name in ("steps", "pool", "views"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be 1 or more, got {value}")
        if self.replicates < 100:
            raise InputError(f"replicates must be 100 or more, got {self.replicates}")


def default_steps(images: int, batch_size: int) -> int:
    """Returns the batches in which each of `images` is seen about 15 times, 300 to 2,000."""
    return min(max(PASSES_OVER_REAL_IMAGES * images // batch_size, FEWEST_STEPS), MOST_STEPS)
