"""Starts a run from a checkpoint of another: other classes, wider stages, larger images."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from skin_synth.models.gan import ConditionalGAN
from skin_synth.presets import Preset
from skin_synth.training.run_config import WarmStartSource
from skin_synth.training.runs import load_run
from skin_synth.training.weight_inheritance import CARRIER_CHANNELS, inherit
from tfrecords_tools.errors import InputError


def warm_start_source(path: str | os.PathLike[str], preset: Preset) -> WarmStartSource:
    """Describes the last checkpoint of a run, to start a run of `preset` from.

    Raises:
        InputError: there is no run or checkpoint, or its networks do not fit those of the preset.
    """
    run = load_run(path)
    check_fits(run.config.preset, preset)
    return WarmStartSource(
        directory=str(Path(path).resolve()),
        run_id=run.origin.run_id,
        checkpoint_hash=run.origin.checkpoint_hash,
        images_seen=run.origin.images_seen,
    )


def grown(old: Preset, wanted: Preset | None) -> Preset:
    """Returns the preset of a run that starts from one of `old`.

    It is `old` itself, if nothing else or a preset of its name is wanted. Another preset, such as
    one of larger images, keeps its own settings, except that its networks take the lengths of
    `old` and are in no stage narrower.
    """
    if wanted is None or wanted.name == old.name:
        return old
    generator = _at_least(wanted.generator_widths, old.generator_widths)
    # Both discriminators end at 4x4, so their last stages belong together.
    discriminator = _at_least(wanted.discriminator_widths[::-1], old.discriminator_widths[::-1])
    return dataclasses.replace(
        wanted,
        generator_widths=generator,
        discriminator_widths=discriminator[::-1],
        latent_dim=old.latent_dim,
        embedding_dim=old.embedding_dim,
        mapping_layers=old.mapping_layers,
    )


def _at_least(widths: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    shared = (max(each) for each in zip(widths, old, strict=False))
    return (*shared, *widths[len(old) :])


def check_fits(old: Preset, new: Preset) -> None:
    """Checks that networks of one preset fit into those of another.

    Raises:
        InputError: they do not; the message names the field.
    """
    shared_g, shared_d = len(old.generator_widths), len(old.discriminator_widths)
    outer_g, outer_d = new.generator_widths[shared_g:], new.discriminator_widths[:-shared_d]
    checks = {
        "latent_dim": old.latent_dim == new.latent_dim,
        "embedding_dim": old.embedding_dim == new.embedding_dim,
        "mapping_layers": old.mapping_layers == new.mapping_layers,
        "image_size": old.image_size <= new.image_size,
        "generator_widths": _covers(new.generator_widths[:shared_g], old.generator_widths)
        and all(width >= CARRIER_CHANNELS for width in outer_g),
        "discriminator_widths": _covers(
            new.discriminator_widths[-shared_d:], old.discriminator_widths
        )
        and all(width >= CARRIER_CHANNELS for width in outer_d),
    }
    for field, good in checks.items():
        if not good:
            raise InputError(
                f"a run of preset {new.name} cannot start from one of {old.name}: {field} is "
                f"{getattr(new, field)}, there {getattr(old, field)}; sizes and widths may grow "
                "only, the lengths of latent and embedding and the mapping layers must be the same"
            )


def _covers(new: tuple[int, ...], old: tuple[int, ...]) -> bool:
    return len(new) == len(old) and all(a >= b for a, b in zip(new, old, strict=True))


def warm_start(gan: ConditionalGAN, source: WarmStartSource) -> str:
    """Gives an untrained GAN the weights of a run; returns a line that describes the start.

    Classes that the run had get their embeddings from it; others keep fresh ones. The
    optimizers, the schedules and the count of images start anew.

    Raises:
        InputError: the run does not exist any more, or has written another checkpoint since.
    """
    run = load_run(source.directory)
    if run.origin.checkpoint_hash != source.checkpoint_hash:
        raise InputError(
            f"{source.directory} was trained beyond {source.images_seen:,} images since this run "
            "was started from it: start a new --run"
        )
    inherit(gan, run.gan)
    new = [name for name in gan.class_names if name not in run.class_names]
    known = len(gan.class_names) - len(new)
    return (
        f"starts from run {source.run_id} at {source.images_seen:,} images: {known} classes known"
        + (f", new: {', '.join(new)}" if new else "")
    )
