"""`skin-synth train`: start a run, or go on with it exactly where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages
from skin_synth.data.streaming import keep_index, open_split, reading_errors
from skin_synth.generator import check_fingerprint
from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.hardware import choose_policy
from skin_synth.presets import DEFAULT_PRESET, Preset, differing, get_preset, override
from skin_synth.training import callbacks as callbacks_of_run
from skin_synth.training import distribution
from skin_synth.training.checkpoints import KEPT
from skin_synth.training.forecast import fit_schedule, forecast, try_steps
from skin_synth.training.health import SickError
from skin_synth.training.run_config import DataIdentity, RunConfig
from skin_synth.training.runs import Run, RunDirectory, as_run, new_gan
from skin_synth.training.stop_signals import SharedStopWish, StopWish, stop_wish
from skin_synth.training.validation.callbacks import watchers
from skin_synth.training.validation.yardstick import choose
from skin_synth.training.warm_start import ancestor, warm_start
from tfrecords_tools.command_line import explain_os_error
from tfrecords_tools.errors import InputError, Stopped
from tfrecords_tools.records.reader import fingerprint, read_info
from tfrecords_tools.records.record_index import index_records
from tfrecords_tools.records.schema import TRAIN

EPOCH_IMAGES = 1_000
"""An epoch is only the beat of the logs: about so many images, rounded to whole batches."""


def train(
    data: str | os.PathLike[str],
    run: str | os.PathLike[str],
    *,
    preset: str | None = None,
    overrides: Sequence[str] | None = None,
    images: int | None = None,
    minutes: float | None = None,
    schedule_images: int | None = None,
    schedule_minutes: float | None = None,
    seed: int | None = None,
    policy: str | None = None,
    init_from: str | os.PathLike[str] | None = None,
    features: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    keep: int = KEPT,
    cache_limit: int | None = None,
    devices: int | str = 1,
    profile: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> Run | None:
    """Trains a conditional GAN; the same call again goes on where the run stopped.

    A run that was killed and resumed ends with the same weights as one that was not, bit for bit
    (same machine, thread count and TensorFlow; on a GPU up to rounding).

    Args:
        data: data set directory with square images of the preset's size.
        run: run directory; made where it does not exist.
        preset: name of a preset; `DEFAULT_PRESET` for a new run, that of the run otherwise.
        overrides: FIELD=VALUE each, of fields of the preset (see `skin_synth.presets.override`),
            for a new run; a run that exists keeps its own.
        images: stop once the run has seen so many images; default the run's schedule.
        minutes: stop after so many minutes of this call.
        schedule_images: length of the schedules, such as that of the learning rate; by default
            the preset's for a new run, that of the run otherwise.
        schedule_minutes: instead, let a new run's schedules be as long as this machine trains in
            so many minutes, by the speed of a few steps, and no longer than `images`; a run that
            exists keeps its own. Training stops where they end.
        seed: of weights, batches, latents and augmentation; 0 for a new run by default.
        policy: Keras dtype policy; by default the fast one of this machine.
        init_from: run whose last checkpoint a new run starts from, by default from fresh weights
            (see `skin_synth.training.warm_start`); its preset is the default one.
        features: what validation compares images by, classifier or mobilenet; those of the run by
            default, the classifier for a new one.
        weights: weights file of mobilenet.
        keep: checkpoints that stay, the best one not counted; more than one to fall back on.
        cache_limit: bytes that decoded training images may take in memory; where they take more
            they are streamed from the shards, which changes no result. By default a quarter of
            the machine's memory.
        devices: how many of this machine share each batch, or "all"; several machines by the
            variable TF_CONFIG. Changes results by rounding only.
        profile: whether TensorBoard's profiler shall record a few steps, into the logs.
        dry_run: only say what training would cost; nothing is written.
        say: takes each line of news.

    Returns:
        The trained run; None after a dry run.

    Raises:
        InputError: the data do not fit the preset or the run, or the run was started with
            another preset, overrides, seed, policy or features than asked for; another process
            trains it.
        Stopped: SIGTERM or SIGINT came; a checkpoint is written.
    """
    lengths = {"schedule_images": schedule_images, "schedule_minutes": schedule_minutes}
    check_limits(images=images, minutes=minutes, keep=keep, **lengths)
    if None not in lengths.values():
        raise InputError("give --schedule_images or --schedule_minutes, got both")
    if any(lengths.values()) and any(
        wish.startswith("schedule_images=") for wish in overrides or ()
    ):
        raise InputError(f"the length of the schedules is asked for twice: {lengths}, {overrides}")
    distribution.check_clocks(minutes=minutes, schedule_minutes=schedule_minutes)
    strategy = distribution.make_strategy(devices)
    directory = RunDirectory(run)
    config = _config(
        directory,
        data,
        preset=preset,
        overrides=overrides or (),
        schedule_images=schedule_images,
        seed=seed,
        policy=policy,
        init_from=init_from,
    )
    yardstick = choose(directory, features, weights)
    distribution.check_shares(strategy, config.preset)
    split = open_split(
        data,
        TRAIN,
        cache_limit=cache_limit,
        index_file=directory.index,
        fingerprint=config.data.fingerprint,
        say=say,
    )
    fitted = None if directory.exists() else schedule_minutes
    if fitted is not None or dry_run:
        trial = try_steps(config, split, strategy)
        if fitted is not None:
            config = fit_schedule(config, trial, fitted, images)
            say(f"{directory.path}: a schedule of {config.preset.schedule_images:,} images")
        if dry_run:
            for line in forecast(
                config, split, trial, _last_image(config, images, schedule_minutes)
            ):
                say(line)
            return None
    images = _last_image(config, images, schedule_minutes)
    with _held(directory, strategy) as wish:
        gan = _opened(directory, config, split, strategy, say)
        say(f"{directory.path}: {config.policy}, from image {gan.images_seen:,} on")
        if gan.images_seen < images:
            watch = functools.partial(watchers, directory, yardstick, data, split, config.preset)
            with (
                _keepers(
                    directory, gan, strategy, watch, wish, keep=keep, profile=profile, say=say
                ) as keepers,
                reading_errors(split),
            ):
                _fit(gan, split, strategy, keepers, images=images, minutes=minutes)
    if wish and wish.signal is not None:
        raise Stopped(
            f"stopped by {wish.signal.name} at {gan.images_seen:,} images, checkpoint written; "
            "the same command again goes on from there",
            wish.signal,
        )
    return as_run(directory, config, gan)


def _last_image(config: RunConfig, images: int | None, schedule_minutes: float | None) -> int:
    """Where training stops: what there was time for may be less than was asked for."""
    length = config.preset.schedule_images
    if images is None:
        return length
    return images if schedule_minutes is None else min(images, length)


@contextlib.contextmanager
def _held(directory: RunDirectory, strategy: tf.distribute.Strategy | None) -> Iterator[StopWish]:
    """Keeps others off the run, where this machine writes, and takes signals as wishes."""
    wish = SharedStopWish() if distribution.of_machines(strategy) else StopWish()
    own = directory.training() if distribution.writes(strategy) else contextlib.nullcontext()
    with own, stop_wish(wish):
        yield wish


def _opened(
    directory: RunDirectory,
    config: RunConfig,
    split: DrawnImages,
    strategy: tf.distribute.Strategy | None,
    say: Callable[[str], None],
) -> ConditionalGAN:
    """The networks of a run as its newest checkpoint left them, or of one that begins here."""
    if writing := distribution.writes(strategy):
        if not directory.exists():
            directory.create(config)
        elif directory.config() != config:
            raise InputError(f"{directory.path} was started by another process just now: try again")
        keep_index(split, directory.index, config.data.fingerprint)
    warm = None if directory.checkpoints() else config.init_from
    with distribution.scope(strategy):
        gan = new_gan(config)
        if warm is not None:
            say(f"{directory.path}: {warm_start(gan, warm)}")
        else:
            directory.restore(gan, say, set_aside=writing)
    distribution.check_agreement(strategy, "the run", int(config.run_id, 16))
    distribution.check_agreement(strategy, "the image to go on from", gan.images_seen)
    if warm is not None and writing:
        # From here on the run does not need the other any more.
        directory.save(gan)
    return gan


@contextlib.contextmanager
def safely_ended(directory: RunDirectory) -> Iterator[None]:
    """Adds to what went wrong what is left to go on from.

    Raises:
        InputError: a file of the run could not be written, or training is sick.
    """
    try:
        yield
    except OSError as error:
        message = f"{explain_os_error(error)}; the same command again goes on"
        raise InputError(f"{message}: {_kept(directory)}") from error
    except SickError as error:
        kept = _kept(directory)
        if directory.checkpoints():
            kept += f", --init_from {directory.path} starts from it"
        raise InputError(f"{error}. {directory.path}: {kept}") from error


def _kept(directory: RunDirectory) -> str:
    found = directory.checkpoints()
    return f"{found[-1].name} is kept" if found else "there was no checkpoint yet"


def check_limits(**limits: float | None) -> None:
    """Checks when to stop and what to keep.

    Args:
        **limits: by the names of their flags; None for no limit.

    Raises:
        InputError: a limit is not positive.
    """
    for name, value in limits.items():
        if value is not None and not value > 0:
            raise InputError(f"--{name} must be above 0, got {value}")


def _config(
    directory: RunDirectory,
    data: str | os.PathLike[str],
    *,
    preset: str | None,
    overrides: Sequence[str],
    schedule_images: int | None,
    seed: int | None,
    policy: str | None,
    init_from: str | os.PathLike[str] | None,
) -> RunConfig:
    """The frozen configuration of a run that exists, checked, or that of a new one."""
    if not directory.exists():
        known = None if init_from is None else RunDirectory(init_from).config().preset.name
        chosen = override(get_preset(preset or known or DEFAULT_PRESET), overrides)
        chosen = _scheduled(chosen, schedule_images)
        new = _new_config(data, chosen, seed or 0, choose_policy(policy))
        if init_from is None:
            return new
        return dataclasses.replace(new, init_from=ancestor(init_from, new.preset))
    config = directory.config()
    check_fingerprint(str(directory.path), config.data.name, config.data.fingerprint, data)
    choices = {
        "preset": (config.preset.name, preset),
        "schedule_images": (config.preset.schedule_images, schedule_images),
        "seed": (config.seed, seed),
        "policy": (config.policy, policy),
    }
    for name, (frozen, asked) in choices.items():
        if asked is not None and asked != frozen:
            raise InputError(
                f"{directory.path} was started with --{name} {frozen}, got {asked}: "
                "leave it out to go on, or give a new --run"
            )
    if other := differing(config.preset, override(config.preset, overrides)):
        raise InputError(
            f"{directory.path} was started with {other}, got --set {' '.join(overrides)}: "
            "leave it out to go on, or give a new --run"
        )
    _check_ancestor(directory, config, init_from)
    return config


def _check_ancestor(
    directory: RunDirectory, config: RunConfig, init_from: str | os.PathLike[str] | None
) -> None:
    """Checks that --init_from, where given again, is what the run was started from."""
    if init_from is None:
        return
    started = config.init_from
    if started is None or Path(init_from).resolve() != Path(started.directory):
        origin = (
            "from fresh weights" if started is None else f"with --init_from {started.directory}"
        )
        raise InputError(
            f"{directory.path} was started {origin}, got --init_from {init_from}: "
            "leave it out to go on, or give a new --run"
        )


def _scheduled(preset: Preset, schedule_images: int | None) -> Preset:
    if schedule_images is None:
        return preset
    return dataclasses.replace(preset, schedule_images=schedule_images)


def _new_config(data: str | os.PathLike[str], preset: Preset, seed: int, policy: str) -> RunConfig:
    info = read_info(data)
    if tuple(info.image_shape[:2]) != (preset.image_size, preset.image_size):
        raise InputError(
            f"preset {preset.name} paints images of {preset.image_size} pixels, {data} holds "
            f"{info.image_shape}: build the data set with --size {preset.image_size}"
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
    identity = DataIdentity(
        directory=str(Path(data).resolve()),
        name=info.name,
        fingerprint=fingerprint(data),
        class_names=info.class_names,
        class_counts=tuple(class_counts),
    )
    return RunConfig(preset=preset, seed=seed, policy=policy, data=identity)


@contextlib.contextmanager
def _keepers(
    directory: RunDirectory,
    gan: ConditionalGAN,
    strategy: tf.distribute.Strategy | None,
    watch: Callable[..., Sequence[callbacks_of_run.GANCallback]],
    wish: StopWish,
    *,
    keep: int,
    profile: bool,
    say: Callable[[str], None],
) -> Iterator[list[keras.callbacks.Callback]]:
    """The callbacks that write into the run directory, in the order in which they do.

    Machines agree on when to stop; those that write nothing stop, and that is all they do.
    """
    together = []
    if strategy is not None and isinstance(wish, SharedStopWish):
        together.append(distribution.AgreeToStop(strategy, wish))
    if not distribution.writes(strategy):
        yield [*together, callbacks_of_run.StopAsWished(wish)]
        return
    preset, writer = gan.preset, tf.summary.create_file_writer(str(directory.logs))
    with safely_ended(directory), contextlib.closing(writer):
        yield [
            *together,
            *([callbacks_of_run.Profile(directory)] if profile else []),
            callbacks_of_run.Scalars(writer),
            callbacks_of_run.Previews(directory, preset.preview_images, writer),
            callbacks_of_run.Health(writer, say),
            *watch(writer, say),
            callbacks_of_run.Checkpoints(directory, preset.checkpoint_images, keep=keep, wish=wish),
        ]


def _fit(
    gan: ConditionalGAN,
    split: DrawnImages,
    strategy: tf.distribute.Strategy | None,
    keepers: Sequence[keras.callbacks.Callback],
    *,
    images: int,
    minutes: float | None,
) -> None:
    epoch_steps = max(1, round(EPOCH_IMAGES / gan.preset.batch_size))
    epochs_left = -(-(images - gan.images_seen) // (epoch_steps * gan.preset.batch_size))
    with contextlib.closing(callbacks_of_run.ProgressBar(images=images)) as bar:
        distribution.fit(
            gan,
            distribution.source_of(gan, split),
            strategy,
            epochs=epochs_left,
            steps_per_epoch=epoch_steps,
            callbacks=[
                bar,
                callbacks_of_run.StopAt(images=images, minutes=minutes),
                *keepers,
            ],
        )
