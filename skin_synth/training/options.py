"""The options of `train`, which the command builds from its flags."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from skin_synth.training.checkpoints import DEFAULT_KEEP
from tfrecords_tools.errors import InputError

POSITIVE_OPTIONS = ("images", "minutes", "schedule_images", "schedule_minutes", "keep")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of training.

    A new run freezes preset, overrides, schedule, seed, policy, init_from and features. For a run
    that exists, None means its own value, and another value is an error.

    Attributes:
        preset: name of a preset; None: that of the run, of `init_from`, or the
            first one for the image size of the data set.
        overrides: FIELD=VALUE each, of fields of the preset (see `skin_synth.presets.override`).
        images: stop once the run has seen this many images; None: the whole schedule.
        minutes: stop after this many minutes of this call.
        schedule_images: length of the schedules, such as that of the learning rate; None: the
            preset's.
        schedule_minutes: instead of `schedule_images`: the schedules of a new run are as long as
            this machine can train in this many minutes, by the speed of a few steps, and no longer
            than `images`. Training stops at their end. A run that exists ignores it.
        seed: of weights, batches, latents and augmentation; None: 0 for a new run.
        policy: Keras dtype policy; None: the fast one of this machine for a new run.
        init_from: run whose last checkpoint a new run starts from, or an exported or installed
            generator (see `skin_synth.training.warm_start`); None: fresh weights.
        features: features for validation, classifier or mobilenet; None: classifier for a new run.
        weights: weights file of mobilenet; None: those of the run, or a download.
        keep: number of checkpoints to keep in addition to the best one; with 2 or more, training
            can continue from an older one if the newest is damaged.
        cache_limit: bytes that decoded training images may take in memory; larger ones are
            streamed from the shards, with the same results. None: a quarter of the memory.
        devices: number of devices of this machine that share each batch, or "all"; the variable
            TF_CONFIG adds machines. It changes results only by rounding.
        profile: whether TensorBoard's profiler records a few steps into the logs.
        dry_run: only log the cost of training; write nothing.

    Raises:
        InputError: a value is out of its range, or two values contradict each other.
    """

    preset: str | None = None
    overrides: Sequence[str] = ()
    images: int | None = None
    minutes: float | None = None
    schedule_images: int | None = None
    schedule_minutes: float | None = None
    seed: int | None = None
    policy: str | None = None
    init_from: str | os.PathLike[str] | None = None
    features: str | None = None
    weights: str | os.PathLike[str] | None = None
    keep: int = DEFAULT_KEEP
    cache_limit: int | None = None
    devices: int | str = 1
    profile: bool = False
    dry_run: bool = False

    def with_schedule_of_limits(self) -> TrainingOptions:
        """Returns options whose schedules are as long as `images` or `minutes`.

        They are the same options if they give the length of the schedules, or no limit.
        """
        own = any(each.startswith("schedule_images=") for each in self.overrides)
        if own or self.schedule_images is not None or self.schedule_minutes is not None:
            return self
        if self.minutes is not None:
            return dataclasses.replace(self, schedule_minutes=self.minutes)
        return dataclasses.replace(self, schedule_images=self.images)

    def __post_init__(self) -> None:
        for name in POSITIVE_OPTIONS:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"--{name} must be above 0, got {value}")
        lengths = {name: getattr(self, name) for name in ("schedule_images", "schedule_minutes")}
        if None not in lengths.values():
            raise InputError("give --schedule_images or --schedule_minutes, got both")
        if any(lengths.values()) and any(o.startswith("schedule_images=") for o in self.overrides):
            raise InputError(
                f"the length of the schedules is given twice: {lengths}, {self.overrides}"
            )
