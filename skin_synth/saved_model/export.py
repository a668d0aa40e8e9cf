"""Writes the averaged generator as a SavedModel version that TF Serving finds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.saved_model.labels import LABELS_FILE, read_labels
from skin_synth.saved_model.model_card import MODEL_CARD_FILE, model_card, read_report
from skin_synth.saved_model.origin import Origin, write_origin
from skin_synth.saved_model.process import TRACING
from skin_synth.saved_model.sampler import Sampler
from skin_synth.saved_model.warmup import write_warmup
from tfrecords_tools.atomic import check_apart, made_parents, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked_directory
from tfrecords_tools.paths import real_path


class Exportable(Protocol):
    """A model that can be exported: a `skin_synth.ConditionalGAN` or a run."""

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
    other_classes: bool = False,
) -> Path:
    """Writes the next version of a model, MODELDIR/1, then MODELDIR/2, ...; returns its directory.

    A version appears by one rename, so that a server that polls the directory never reads half a
    model. It has float32 weights, core TensorFlow operations only, `assets/labels.txt` with one
    class per line, a warm-up file, `model_card.md` and `origin.json`. Two exports into one
    directory take turns.

    Args:
        model: a GAN or a run.
        model_dir: directory of numbered versions, made if it does not exist.
        report: directory of an evaluation of the same checkpoint, for the figures of the card.
        card: Markdown that replaces the card made here.
        other_classes: whether the version before may have other classes, or the same in another
            order. Its clients would get images of other classes for their label ids.

    Raises:
        InputError: `model_dir` is a file, the run, the report or inside the report, `report` is
            on another checkpoint, or the version before has other classes.
    """
    model_dir = Path(model_dir)
    if model_dir.exists() and not model_dir.is_dir():
        raise InputError(f"{model_dir} is a file, not a directory: give another --out")
    run = getattr(model, "directory", None)
    if run is not None and real_path(model_dir) == real_path(run):
        raise InputError(f"{model_dir} is the run: give another --out")
    # On a file system without locks the later of two exports fails, because its version exists.
    with made_parents(model_dir / "1"), locked_directory(model_dir, wait=True):
        # TF Serving reads only directories named by a number.
        versions = (int(path.name) for path in model_dir.iterdir() if path.name.isdecimal())
        newest = max(versions, default=0)
        if newest and not other_classes:
            _check_classes(model_dir / str(newest), model.class_names)
        version = model_dir / str(1 + newest)
        check_apart(version, {"the report": report})
        if card is None:
            origin = model.origin
            figures = None if report is None else read_report(report, origin)
            card = model_card(origin, model.class_names, model.class_counts, figures)
        return write_version(model, version, card=card)


def _check_classes(version: Path, class_names: tuple[str, ...]) -> None:
    try:
        found = read_labels(version)
    except (FileNotFoundError, NotADirectoryError):  # of a version that is empty
        return
    except UnicodeDecodeError as error:
        raise InputError(f"{version} is damaged ({error}): remove it") from error
    if found != tuple(class_names):
        raise InputError(
            f"{version} has the classes {', '.join(found)}, this generator has "
            f"{', '.join(class_names)}: a label id of a client would mean another class; give "
            "another --out, or --other_classes to export it there knowingly"
        )


def write_version(model: Exportable, version: Path, *, card: str) -> Path:
    """Writes the directory of one version, named by a number, as `export` does without a lock.

    Raises:
        InputError: `version` exists.
    """
    with new_directory(version) as temporary:
        _save(model, temporary)
        write_warmup(temporary, model.class_names, model.ema_generator.latent_dim)
        write_origin(temporary, model.origin)
        (temporary / MODEL_CARD_FILE).write_text(card, "utf-8")
    return version


def _save(model: Exportable, directory: Path) -> None:
    labels = directory / LABELS_FILE
    labels.write_text("".join(f"{name}\n" for name in model.class_names), encoding="utf-8")
    sampler = Sampler(model.ema_generator, model.class_names, labels_file=labels)
    # Only TensorFlow's variables, because a tracked Keras variable is saved twice, and C++ loaders
    # restore the copy that no signature reads.
    served = tf.Module(name="served")
    served.variables_of_generator = [variable.value for variable in sampler.generator.variables]
    served.table = sampler.table
    signatures = {
        name: getattr(sampler, name) for name in ("serving_default", "generate", "from_latent")
    }
    with TRACING:
        tf.saved_model.save(served, str(directory), signatures=signatures)
    labels.unlink()  # the file is now in assets/
