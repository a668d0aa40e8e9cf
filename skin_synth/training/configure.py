"""Makes the configuration of a new run, or checks that of an existing run against the options."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterable

from skin_synth.generator import check_fingerprint
from skin_synth.models.hardware import choose_policy
from skin_synth.presets import (
    PRESETS,
    Preset,
    differing,
    get_preset,
    override,
    preset_of_side,
)
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_config import DataIdentity, RunConfig
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.warm_start import (
    grown,
    is_source,
    load_ancestor,
    preset_of_ancestor,
    waiting,
    warm_start_source,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.paths import real_path
from tfrecords_tools.records.reader import fingerprint, read_info
from tfrecords_tools.records.record_index import index_records
from tfrecords_tools.records.schema import TRAIN

_LOG = logging.getLogger("skin_synth")


def configure(
    directory: RunDirectory, data: str | os.PathLike[str], options: TrainingOptions
) -> RunConfig:
    """Returns the configuration of a run: from its directory, or a new one; writes nothing.

    Raises:
        InputError: the data do not fit the preset or the run, or the run was started with other
            options.
    """
    if not directory.exists():
        return _new_config(data, options)
    config = directory.config()
    known, what = config.data, str(directory.path)
    read_info(data)  # the advice below is for another data set, not for a wrong directory
    try:
        check_fingerprint(what, known.name, known.fingerprint, known.class_names, data)
    except InputError as error:
        raise InputError(
            f"{error}; a new --run with --init_from {what} starts from its weights, as for a data "
            "set that has grown"
        ) from error
    _check_frozen(directory, config, options)
    return config


def _new_config(data: str | os.PathLike[str], options: TrainingOptions) -> RunConfig:
    source = options.init_from
    chosen = None if options.preset is None else get_preset(options.preset)
    ancestor = None if source is None else load_ancestor(source)
    old = None if ancestor is None else preset_of_ancestor(ancestor)
    base = grown(old, chosen) if old else chosen or _preset_of_data(data)
    preset = override(base, options.overrides)
    if options.schedule_images is not None:
        preset = dataclasses.replace(preset, schedule_images=options.schedule_images)
    if source is not None and old is not None:
        if options.schedule_minutes is None:
            preset = waiting(preset, options)
        other = ", ".join(differing(preset, old))
        _LOG.info(f"--init_from {source}: its settings{f', except {other}' if other else ''}")
    return RunConfig(
        preset=preset,
        seed=options.seed or 0,
        policy=choose_policy(options.policy),
        data=_data_identity(data, preset),
        init_from=None if ancestor is None else warm_start_source(ancestor, preset, data),
    )


def _preset_of_data(data: str | os.PathLike[str]) -> Preset:
    height, width, _ = read_info(data).image_shape
    try:
        return preset_of_side(height if height == width else None)
    except InputError as error:
        raise InputError(f"{data}: {error}") from error


def _data_identity(data: str | os.PathLike[str], preset: Preset) -> DataIdentity:
    info = read_info(data)
    if tuple(info.image_shape[:2]) != (preset.image_size, preset.image_size):
        height, width, _ = info.image_shape
        others = [
            f" or give --preset {other.name}"
            for other in PRESETS.values()
            if other.image_size == height == width
        ]
        vary = None in (height, width)
        holds = "images of several sizes" if vary else f"images of {width}x{height}"
        raise InputError(
            f"preset {preset.name} generates images of {preset.image_size} pixels, {data} holds "
            f"{holds}: build the data set with --size {preset.image_size}{''.join(others[:1])}"
        )
    if len(info.class_names) < 2:
        raise InputError(f"{data} has one class, {info.class_names}; a conditional GAN needs two")
    class_counts = index_records(data, TRAIN).class_counts(len(info.class_names))
    names = zip(info.class_names, class_counts, strict=True)
    if empty := [name for name, count in names if not count]:
        raise InputError(
            f"{data} has no training image of {', '.join(empty)}: build it again without "
            f"{'it' if len(empty) == 1 else 'them'}, or with other splits"
        )
    return DataIdentity(
        directory=str(real_path(data)),
        name=info.name,
        fingerprint=fingerprint(data),
        class_names=info.class_names,
        class_counts=tuple(class_counts),
    )


def _check_frozen(directory: RunDirectory, config: RunConfig, options: TrainingOptions) -> None:
    """Checks that the options agree with those that the run was started with."""
    frozen = {
        "preset": config.preset.name,
        "schedule_images": config.preset.schedule_images,
        "seed": config.seed,
        "policy": config.policy,
    }
    for name, value in frozen.items():
        requested = getattr(options, name)
        if requested is not None and requested != value:
            raise _started_otherwise(directory, f"with --{name} {value}", requested)
    if other := differing(config.preset, override(config.preset, options.overrides)):
        raise _started_otherwise(directory, f"with {_flags(other)}", _flags(options.overrides))
    source, requested = config.init_from, options.init_from
    if requested is None or (source and is_source(source, requested)):
        return
    start = "from fresh weights" if source is None else f"with --init_from {source.directory}"
    raise _started_otherwise(directory, start, f"--init_from {requested}")


def _flags(overrides: Iterable[str]) -> str:
    """Writes FIELD=VALUE as on a command line, where each needs its own flag."""
    return " ".join(f"--set {each}" for each in overrides)


def _started_otherwise(directory: RunDirectory, start: str, requested: object) -> InputError:
    return InputError(
        f"{directory.path} was started {start}, got {requested}: leave it out to go on, or give a "
        "new --run"
    )
