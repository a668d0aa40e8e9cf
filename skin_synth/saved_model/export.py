"""Writes the averaged generator as a version of a SavedModel, as TF Serving watches for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import keras
import tensorflow as tf

from skin_synth.saved_model.model_card import MODEL_CARD, model_card, read_report
from skin_synth.saved_model.origin import Origin, write_origin
from skin_synth.saved_model.sampler import Sampler
from skin_synth.saved_model.warmup import write_warmup
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked_directory

LABELS = "labels.txt"


class Exportable(Protocol):
    """What can be exported: `skin_synth.ConditionalGAN` and a run are."""

    @property
    def ema_generator(self) -> keras.Model: ...  # noqa: D102
    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def class_counts(self) -> tuple[int, ...] | None: ...  # noqa: D102
    @property
    def origin(self) -> Origin: ...  # noqa: D102


def export(
    model: Exportable,
    model_dir: str | os.PathLike[str],
    *,
    report: str | os.PathLike[str] | None = None,
    card: str | None = None,
) -> Path:
    """Writes the next version of a model: MODELDIR/1, then MODELDIR/2, ...

    A version appears by one rename, so that a server which polls the directory never meets half a
    model. It holds float32 weights, core TensorFlow operations only, `assets/labels.txt` with one
    class a line, a warm-up file, `model_card.md` and `origin.json`. Exports into one directory at
    the same time take turns.

    Args:
        model: a GAN, or a run whose GAN is meant.
        model_dir: directory of numbered versions, made where it does not exist.
        report: directory of an evaluation of the very checkpoint, for the figures of the card.
        card: Markdown to take in place of a card made here.

    Returns:
        The new version's directory.

    Raises:
        InputError: `model_dir` is a file or the run itself, or is or lies in the report, or
            `report` judges another checkpoint.
    """
    model_dir = Path(model_dir)
    if model_dir.exists() and not model_dir.is_dir():
        raise InputError(f"{model_dir} is a file, not a directory: give another --out")
    directory = getattr(model, "directory", None)
    if directory is not None and model_dir.resolve() == directory.resolve():
        raise InputError(f"{model_dir} is the run: give another --out")
    with _turn(model_dir):
        version = model_dir / str(_next_version(model_dir))
        check_apart(version, {"the report": report})
        if card is None:
            origin = model.origin
            judged = None if report is None else read_report(report, origin)
            card = model_card(origin, model.class_names, model.class_counts, judged)
        return write_version(model, version, card=card)


def write_version(model: Exportable, version: Path, *, card: str) -> Path:
    """Writes one version for a caller that nobody else competes with, see `export`.

    Args:
        model: a GAN, or a run whose GAN is meant.
        version: new directory, complete or not there; named by a number.
        card: the model card, Markdown.

    Returns:
        The directory.

    Raises:
        InputError: `version` exists.
    """
    with new_directory(version) as temporary:
        _save(model, temporary)
        write_warmup(temporary, model.class_names, model.ema_generator.latent_dim)
        write_origin(temporary, model.origin)
        (temporary / MODEL_CARD).write_text(card, "utf-8")
    return version


@contextlib.contextmanager
def _turn(model_dir: Path) -> Iterator[None]:
    """Waits until no other export writes into the directory: two would prepare one version.

    The lock ends with the process that holds it. Directories made for it go where nothing came
    of it.
    """
    made = [path for path in (model_dir, *model_dir.parents) if not path.exists()]
    model_dir.mkdir(parents=True, exist_ok=True)
    try:
        # Without locks the later of two exports fails, because its version exists.
        with locked_directory(model_dir, wait=True):
            yield
    except BaseException:
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
        raise


def _next_version(model_dir: Path) -> int:
    """One more than the highest; TF Serving looks at directories with a number for a name only."""
    versions = (int(path.name) for path in model_dir.iterdir() if path.name.isdecimal())
    return 1 + max(versions, default=0)


def _save(model: Exportable, directory: Path) -> None:
    labels = directory / LABELS
    labels.write_text("".join(f"{name}\n" for name in model.class_names), encoding="utf-8")
    sampler = Sampler(model.ema_generator, model.class_names, labels_file=labels)
    # What is saved holds TensorFlow's variables and nothing of Keras: of a tracked Keras variable
    # two copies are saved, and C++ loaders restore the one that no signature reads.
    served = tf.Module(name="served")
    served.variables_of_generator = [variable.value for variable in sampler.generator.variables]
    served.table = sampler.table
    tf.saved_model.save(
        served,
        str(directory),
        signatures={
            "serving_default": sampler.serving_default,
            "generate": sampler.generate,
            "from_latent": sampler.from_latent,
        },
    )
    # Saving has copied it into assets/.
    labels.unlink()
