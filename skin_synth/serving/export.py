"""Writes the averaged generator as a version of a SavedModel, as TF Serving watches for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from skin_synth.gan import ConditionalGAN
from skin_synth.serving.warmup import write_warmup
from skin_synth.signatures import Sampler
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError

if TYPE_CHECKING:
    from skin_synth.runs import Run

LABELS = "labels.txt"


def export(model: ConditionalGAN | Run, model_dir: str | os.PathLike[str]) -> Path:
    """Writes the next version of a model: MODELDIR/1, then MODELDIR/2, ...

    A version appears by one rename, so that a server which polls the directory never meets half a
    model. It holds float32 weights, core TensorFlow operations only, `assets/labels.txt` with one
    class a line, and a warm-up file.

    Args:
        model: a GAN, or a run whose GAN is meant.
        model_dir: directory of numbered versions, made where it does not exist.

    Returns:
        The new version's directory.

    Raises:
        InputError: `model_dir` is a file.
    """
    gan = model if isinstance(model, ConditionalGAN) else model.gan
    model_dir = Path(model_dir)
    if model_dir.exists() and not model_dir.is_dir():
        raise InputError(f"{model_dir} is a file, not a directory: give another --out")
    target = model_dir / str(_next_version(model_dir))
    with new_directory(target) as temporary:
        _save(Sampler(gan.ema_generator, gan.class_names), temporary)
        write_warmup(temporary, gan.class_names, gan.latent_dim)
    return target


def _next_version(model_dir: Path) -> int:
    versions = model_dir.iterdir() if model_dir.is_dir() else ()
    return 1 + max((int(path.name) for path in versions if path.name.isdecimal()), default=0)


def _save(sampler: Sampler, directory: Path) -> None:
    labels = directory / LABELS
    _write_labels(labels, sampler.class_names)
    # A tracked asset is copied into assets/ by saving; the original goes.
    sampler.labels = tf.saved_model.Asset(str(labels))
    tf.saved_model.save(
        sampler,
        str(directory),
        signatures={
            "serving_default": sampler.serving_default,
            "generate": sampler.generate,
            "from_latent": sampler.from_latent,
        },
    )
    labels.unlink()


def _write_labels(path: Path, class_names: Sequence[str]) -> None:
    path.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
