"""Starts a run from another, or from a generator: other classes, wider stages, larger images.

An exported generator comes without its discriminator. The new one learns alone at first (see
`Preset.generator_warm_up`), because an untrained one would ruin the generator.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from skin_synth.models.gan import ConditionalGAN
from skin_synth.presets import Preset, Ramp
from skin_synth.pretrained.catalogue import find_generator, known_names
from skin_synth.pretrained.loading import Pretrained, load_pretrained
from skin_synth.pretrained.network import network_of, preset_of
from skin_synth.saved_model.origin import ORIGIN_FILE
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_config import WarmStartSource
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import Run, load_run
from skin_synth.training.weight_inheritance import CARRIER_CHANNELS, inherit, inherit_generator
from skin_synth.training_overlap import images_from_training
from tfrecords_tools.errors import InputError
from tfrecords_tools.paths import real_path
from tfrecords_tools.records.reader import fingerprint, read_info
from tfrecords_tools.records.schema import TEST, VALIDATION

_LOG = logging.getLogger("skin_synth")

LONGEST_WARM_UP = 50_000
"""Images that a generator waits for a new discriminator, in a long run."""
WARM_UP_SHARE = 0.2
"""The same as a share of a short schedule."""


def load_ancestor(path: str | os.PathLike[str]) -> Run | Pretrained:
    """Loads the last checkpoint of a run, or a generator by its name or directory.

    Raises:
        InputError: there is none, or its files are damaged.
    """
    if _is_generator(path):
        return load_pretrained(os.fspath(path))
    if not RunDirectory(path).exists():
        names = ", ".join(known_names()) or "none"
        raise InputError(
            f"--init_from {path}: no run and no export is there, and no installed generator has "
            f"this name (installed: {names})"
        )
    return load_run(path)


def _is_generator(path: str | os.PathLike[str]) -> bool:
    directory = Path(path)
    if RunDirectory(path).exists():
        return False
    versions = directory.glob(f"*/{ORIGIN_FILE}")
    return os.fspath(path) in known_names() or (directory / ORIGIN_FILE).exists() or any(versions)


def preset_of_ancestor(ancestor: Run | Pretrained) -> Preset:
    """Returns the preset of a run, or the one nearest to a generator that comes alone.

    A run whose generator still waited for its discriminator hands on the rest of the wait.
    A generator that comes alone goes on at the learning rate at which presets end. At the rate of
    the start, a discriminator that has learnt little makes it much worse.
    """
    if isinstance(ancestor, Run):
        preset = ancestor.config.preset
        rest = max(0, preset.generator_warm_up - ancestor.origin.images_seen)
        return dataclasses.replace(preset, generator_warm_up=rest)
    preset = preset_of(ancestor)
    last = preset.learning_rate.end
    return dataclasses.replace(preset, learning_rate=Ramp(last, last))


def waiting(preset: Preset, options: TrainingOptions) -> Preset:
    """Lets a generator that comes alone wait for its discriminator, unless `--set` says how long.

    The schedules must have their final length, because in a short one it waits for fewer images.
    The same holds for the rest of a wait that a run hands on.
    """
    source, given = options.init_from, (each.partition("=")[0] for each in options.overrides)
    if source is None or "generator_warm_up" in map(str.strip, given):
        return preset
    longest = preset.generator_warm_up or (LONGEST_WARM_UP if _is_generator(source) else 0)
    images = min(longest, round(WARM_UP_SHARE * preset.schedule_images))
    return dataclasses.replace(preset, generator_warm_up=images)


def warm_start_source(
    ancestor: Run | Pretrained, preset: Preset, data: str | os.PathLike[str]
) -> WarmStartSource:
    """Describes what a run of `preset` on a data set starts from.

    Raises:
        InputError: its networks do not fit those of the preset.
    """
    check_fits(preset_of_ancestor(ancestor), preset)
    seen = _held_out_seen(ancestor, data)
    if seen:
        _LOG.warning(
            f"{ancestor.directory} was trained on {seen:,} of the validation and test images of "
            f"{data}: figures on these images will be too good. Leave them out of the data set, or "
            "bring them into its training split (--split_column)"
        )
    return WarmStartSource(
        directory=str(ancestor.directory.resolve()),
        run_id=ancestor.origin.run_id,
        checkpoint_hash=ancestor.origin.checkpoint_hash,
        images_seen=ancestor.origin.images_seen,
        held_out_seen=seen,
    )


def _held_out_seen(ancestor: Run | Pretrained, data: str | os.PathLike[str]) -> int:
    """Counts held-out images on which the ancestor or one of its own ancestors was trained."""
    held_out, most = {VALIDATION, TEST}.intersection(read_info(data).splits), 0
    source: Run | Pretrained | None = ancestor if held_out else None
    while source is not None:
        if source.origin.data_fingerprint != fingerprint(data):
            most = max(most, images_from_training(source, data, held_out) or 0)
        source = _source_of(source)
    return most


def _source_of(ancestor: Run | Pretrained) -> Run | Pretrained | None:
    """Returns what an ancestor started from, if it is still there."""
    source = ancestor.config.init_from if isinstance(ancestor, Run) else None
    try:
        return None if source is None else load_ancestor(source.directory)
    except InputError:
        return None


def is_source(source: WarmStartSource, requested: str | os.PathLike[str]) -> bool:
    """Returns whether a request names the source: its name, its directory, or the one above."""
    known = Path(source.directory)
    if os.fspath(requested) in known_names():
        return known == find_generator(os.fspath(requested))[0].resolve()
    path = real_path(requested)
    return path == known or (path == known.parent and (known / ORIGIN_FILE).exists())


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
    """Gives an untrained GAN the weights of its source; returns a line that describes the start.

    Classes that the source had get their embeddings from it; others keep fresh ones. The
    optimizers, the schedules and the count of images start anew.

    Raises:
        InputError: the source does not exist any more, or has other weights now.
    """
    ancestor = load_ancestor(source.directory)
    if ancestor.origin.checkpoint_hash != source.checkpoint_hash:
        raise InputError(
            f"{source.directory} was trained beyond {source.images_seen:,} images since this run "
            "was started from it: start a new --run"
        )
    if isinstance(ancestor, Run):
        inherit(gan, ancestor.gan)
    else:
        inherit_generator(gan, network_of(ancestor), ancestor.class_names)
    return f"{_start(source, ancestor)}: {_classes(gan.class_names, ancestor.class_names)}"


def _start(source: WarmStartSource, ancestor: Run | Pretrained) -> str:
    start = f"starts from run {source.run_id} at {source.images_seen:,} images"
    alone = "" if isinstance(ancestor, Run) else ", its generator with a new discriminator"
    return start + alone


def _classes(names: Sequence[str], old: Sequence[str]) -> str:
    new = [name for name in names if name not in old]
    if len(new) == len(names):
        return f"it knows none of the classes, so all are learnt anew (it knows {', '.join(old)})"
    return f"{len(names) - len(new)} classes known" + (f", new: {', '.join(new)}" if new else "")
