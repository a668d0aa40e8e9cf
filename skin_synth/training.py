"""`skin-synth train`: start a run, or go on with it exactly where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from skin_synth import callbacks as callbacks_of_run
from skin_synth.checkpoints import KEPT
from skin_synth.data import LabelledImages, batches, load_split
from skin_synth.gan import ConditionalGAN
from skin_synth.health import SickError
from skin_synth.interruptions import stop_wish
from skin_synth.precision import choose_policy
from skin_synth.presets import DEFAULT_PRESET, get_preset
from skin_synth.run_config import DataIdentity, RunConfig
from skin_synth.runs import Run, RunDirectory, as_run, new_gan
from skin_synth.validation.callbacks import watchers
from skin_synth.validation.yardstick import choose
from skin_synth.warm_start import ancestor, warm_start
from tfrecords_tools.command_line import explain_os
from tfrecords_tools.errors import InputError, Stopped
from tfrecords_tools.reader import fingerprint, read_info
from tfrecords_tools.schema import TRAIN

EPOCH_IMAGES = 1_000
"""An epoch is only the beat of the logs: about so many images, rounded to whole batches."""
DRY_RUN_STEPS = 10


def train(
    data: str | os.PathLike[str],
    run: str | os.PathLike[str],
    *,
    preset: str | None = None,
    images: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    policy: str | None = None,
    init_from: str | os.PathLike[str] | None = None,
    features: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    keep: int = KEPT,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> Run | None:
    """Trains a conditional GAN; the same call again goes on where the run stopped.

    A run that was killed and resumed ends with the same weights as one that was not, bit for bit
    (same machine, thread count and TensorFlow).

    Args:
        data: data set directory with square images of the preset's size.
        run: run directory; made where it does not exist.
        preset: name of a preset; `DEFAULT_PRESET` for a new run, that of the run otherwise.
        images: stop once the run has seen so many images; default the preset's schedule.
        minutes: stop after so many minutes of this call.
        seed: of weights, batches, latents and augmentation; 0 for a new run by default.
        policy: Keras dtype policy; by default the fast one of this machine.
        init_from: run whose last checkpoint a new run starts from, by default from fresh weights
            (see `skin_synth.warm_start`); its preset is the default one.
        features: what validation compares images by, classifier or mobilenet; those of the run by
            default, the classifier for a new one.
        weights: weights file of mobilenet.
        keep: checkpoints that stay, the best one not counted; more than one to fall back on.
        dry_run: only say what training would cost; nothing is written.
        say: takes each line of news.

    Returns:
        The trained run; None after a dry run.

    Raises:
        InputError: the data do not fit the preset or the run, or the run was started with
            another preset, seed, policy or features than asked for; another process trains it.
        Stopped: SIGTERM or SIGINT came; a checkpoint is written.
    """
    check_limits(images=images, minutes=minutes, keep=keep)
    directory = RunDirectory(run)
    config = _config(directory, data, preset=preset, seed=seed, policy=policy, init_from=init_from)
    yardstick = choose(directory, features, weights)
    split = load_split(data, TRAIN)
    if dry_run:
        for line in forecast(config, split, images):
            say(line)
        return None
    images = images or config.preset.schedule_images
    with directory.training(), stop_wish() as wish:
        gan = _opened(directory, config, say)
        say(f"{directory.path}: {config.policy}, from image {gan.images_seen:,} on")
        if gan.images_seen < images:
            writer = tf.summary.create_file_writer(str(directory.logs))
            watching = [
                callbacks_of_run.Health(writer, say),
                *watchers(directory, yardstick, data, split, config.preset, writer, say),
            ]
            checkpoints = callbacks_of_run.Checkpoints(
                directory, config.preset.checkpoint_images, keep=keep, wish=wish
            )
            with safely_ended(directory), contextlib.closing(writer):
                _fit(
                    gan,
                    split,
                    directory,
                    writer,
                    [*watching, checkpoints],
                    images=images,
                    minutes=minutes,
                )
    if wish.signal is not None:
        raise Stopped(
            f"stopped by {wish.signal.name} at {gan.images_seen:,} images, checkpoint written; "
            "the same command again goes on from there",
            wish.signal,
        )
    return as_run(directory, config, gan)


def _opened(
    directory: RunDirectory, config: RunConfig, say: Callable[[str], None]
) -> ConditionalGAN:
    """The networks of a run as its newest checkpoint left them, or of one that begins here."""
    if not directory.exists():
        directory.create(config)
    elif directory.config() != config:
        raise InputError(f"{directory.path} was started by another process just now: try again")
    gan = new_gan(config)
    if config.init_from is not None and not directory.checkpoints():
        say(f"{directory.path}: {warm_start(gan, config.init_from)}")
        # From here on the run does not need the other any more.
        directory.save(gan)
    directory.restore(gan, say)
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
        message = f"{explain_os(error)}; the same command again goes on"
        raise InputError(f"{message}: {_kept(directory)}") from error
    except SickError as error:
        raise InputError(f"{error}. {directory.path}: {_kept(directory)}") from error


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
    seed: int | None,
    policy: str | None,
    init_from: str | os.PathLike[str] | None,
) -> RunConfig:
    """The frozen configuration of a run that exists, checked, or that of a new one."""
    if not directory.exists():
        if preset is None:
            known = None if init_from is None else RunDirectory(init_from).config()
            preset = DEFAULT_PRESET if known is None else known.preset.name
        new = _new_config(data, preset, seed or 0, choose_policy(policy))
        if init_from is None:
            return new
        return dataclasses.replace(new, init_from=ancestor(init_from, new.preset))
    config = directory.config()
    found = fingerprint(data)
    if found != config.data.fingerprint:
        raise InputError(
            f"{directory.path} was trained on data set {config.data.name!r} with fingerprint "
            f"{config.data.fingerprint[:12]}, {data} has {found[:12]}: give the --data it was "
            "started with, or a new --run"
        )
    frozen = {"preset": config.preset.name, "seed": config.seed, "policy": config.policy}
    for name, asked in (("preset", preset), ("seed", seed), ("policy", policy)):
        if asked is not None and asked != frozen[name]:
            raise InputError(
                f"{directory.path} was started with --{name} {frozen[name]}, got {asked}: "
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


def _new_config(
    data: str | os.PathLike[str], preset_name: str, seed: int, policy: str
) -> RunConfig:
    preset = get_preset(preset_name)
    info = read_info(data)
    if tuple(info.image_shape[:2]) != (preset.image_size, preset.image_size):
        raise InputError(
            f"preset {preset.name} paints images of {preset.image_size} pixels, {data} holds "
            f"{info.image_shape}: build the data set with --size {preset.image_size}"
        )
    if len(info.class_names) < 2:
        raise InputError(f"{data} has one class, {info.class_names}; a conditional GAN needs two")
    identity = DataIdentity(
        directory=str(Path(data).resolve()),
        name=info.name,
        fingerprint=fingerprint(data),
        class_names=info.class_names,
        class_counts=tuple(load_split(data, TRAIN).class_counts.tolist()),
    )
    return RunConfig(preset=preset, seed=seed, policy=policy, data=identity)


def _fit(
    gan: ConditionalGAN,
    split: LabelledImages,
    directory: RunDirectory,
    writer: Any,
    watching: Sequence[callbacks_of_run.GANCallback],
    *,
    images: int,
    minutes: float | None,
) -> None:
    preset = gan.preset
    first_step = int(gan.steps.numpy())
    epoch_steps = max(1, round(EPOCH_IMAGES / preset.batch_size))
    epochs_left = -(-(images - gan.images_seen) // (epoch_steps * preset.batch_size))
    gan.fit(
        batches(
            split,
            batch_size=preset.batch_size,
            seed=gan.seed,
            exponent=preset.sampling_exponent,
            first_step=first_step,
        ),
        epochs=epochs_left,
        steps_per_epoch=epoch_steps,
        verbose=0,
        shuffle=False,
        callbacks=[
            callbacks_of_run.ProgressBar(images=images),
            callbacks_of_run.StopAt(images=images, minutes=minutes),
            callbacks_of_run.Scalars(writer),
            callbacks_of_run.Previews(directory, preset.preview_images, writer),
            *watching,
        ],
    )


def forecast(config: RunConfig, split: LabelledImages, images: int | None) -> list[str]:
    """What training would cost, from a few real steps: lines for a person.

    Args:
        config: of the run to be.
        split: its training images.
        images: where it is to stop; default the preset's schedule.
    """
    gan = new_gan(config)
    preset = config.preset
    images = images or preset.schedule_images
    speed = measure_speed(gan, split)
    smallest = int(np.argmin(split.class_counts))
    return [
        f"preset          {preset.name}: {preset.image_size}x{preset.image_size}, "
        f"batch {preset.batch_size}, {config.policy}",
        f"parameters      generator {gan.generator.count_params():,}, "
        f"discriminator {gan.discriminator.count_params():,}",
        f"training images {len(split):,} in {len(split.class_names)} classes",
        f"smallest class  {split.class_names[smallest]}: {split.class_counts[smallest]:,} images",
        f"speed           {speed:.0f} images/s",
        f"time            {images / speed / 3600:.1f} h for {images:,} images",
        f"peak memory     {_peak_memory() / 2**30:.1f} GiB",
    ]


def measure_speed(gan: ConditionalGAN, split: LabelledImages) -> float:
    """Images per second of a few training steps, the first one (tracing) left out."""
    preset = gan.preset
    source = batches(
        split, batch_size=preset.batch_size, seed=gan.seed, exponent=preset.sampling_exponent
    )
    gan.fit(source, steps_per_epoch=2, verbose=0, shuffle=False)
    start = time.monotonic()
    gan.fit(source, steps_per_epoch=DRY_RUN_STEPS, verbose=0, shuffle=False)
    return DRY_RUN_STEPS * preset.batch_size / (time.monotonic() - start)


def _peak_memory() -> int:
    """Bytes of the GPU at most in use so far, or of this process where there is none."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
