"""Finds and loads a generator that comes with the package."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.data.synthetic import GeneratesBatches
from skin_synth.saved_model.export import LABELS_FILE, read_labels
from skin_synth.saved_model.graph_check import check_graph
from skin_synth.saved_model.model_card import MODEL_CARD_FILE
from skin_synth.saved_model.origin import ORIGIN_FILE, Origin, read_origin
from skin_synth.saved_model.process import TRACING, check_not_forked
from skin_synth.saved_model.sampler import generate_rows
from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError

PRETRAINED_DIRECTORY = Path(__file__).parent
PRETRAINED_VERSION = "1"


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained(GeneratesBatches):
    """A generator from a SavedModel; it generates images like a trained run.

    Attributes:
        name: in the package; of an exported generator, the directory as it was given.
        directory: of its SavedModel version.
        class_names: in the order of their labels.
        origin: its run, weights and data set.
        model_card: Markdown: data, figures, intended use, limits, licence.
        signature: the signature `generate` of the SavedModel.
        model: the loaded object; holds the variables of the SavedModel.
    """

    name: str
    directory: Path
    class_names: tuple[str, ...]
    origin: Origin
    model_card: str
    signature: Callable[..., Mapping[str, tf.Tensor]]
    model: object = dataclasses.field(repr=False)

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.origin.image_size

    @property
    def data_dir(self) -> None:
        """None, because the training images are not in the package."""

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Generates one image per (label, seed); see `ConditionalGAN.generate`."""
        return generate_rows(
            self.signature,
            (self.image_size, self.image_size, 3),
            len(self.class_names),
            label_ids,
            seeds,
            truncation=truncation,
            batch_size=batch_size,
        )


def known_names(root: Path = PRETRAINED_DIRECTORY) -> tuple[str, ...]:
    """Returns the names of the generators that come with the package, sorted."""
    found = root.glob(f"*/{PRETRAINED_VERSION}/saved_model.pb")
    return tuple(sorted(path.parts[-3] for path in found))


def load_pretrained(name: str, *, root: Path = PRETRAINED_DIRECTORY) -> Pretrained:
    """Loads a generator that comes with the package, such as "derm-64-ham10000".

    Raises:
        InputError: no generator has this name, or its files are damaged.
    """
    known = known_names(root)
    if name not in known:
        there = f"there are {', '.join(known)}" if known else "this package contains none"
        raise InputError(f"unknown pretrained generator {name!r}: {there}")
    return _load(name, root / name / PRETRAINED_VERSION, repair="install the package again")


def load_exported(directory: str | os.PathLike[str]) -> Pretrained:
    """Loads a generator that `skin-synth export` wrote.

    Args:
        directory: MODELDIR for its newest version, or one version, such as MODELDIR/1.

    Raises:
        InputError: no such generator there, or its files are damaged.
    """
    path = Path(directory)
    if not (path / ORIGIN_FILE).exists() and path.is_dir():
        versions = [each for each in path.iterdir() if each.name.isdecimal()]
        path = max(versions, key=lambda each: int(each.name), default=path)
    return _load(str(directory), path, repair="export the model again")


def _load(name: str, directory: Path, *, repair: str) -> Pretrained:
    origin = read_origin(directory)
    check_not_forked()
    try:
        check_graph(directory)
        labels = read_labels(directory)
        card = read_bounded(directory / MODEL_CARD_FILE).decode("utf-8")
        with TRACING:
            model = tf.saved_model.load(str(directory))
        signature = model.signatures["generate"]
        _check_labels(labels, classes=model.variables_of_generator[0].shape[0])
    except Exception as error:  # TensorFlow raises many types
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{directory} is damaged ({reason}): {repair}") from error
    return Pretrained(name, directory, labels, origin, card, signature, model)


def _check_labels(labels: Sequence[str], *, classes: int) -> None:
    """Checks the class names against the rows of the generator's embedding of classes."""
    if len({*labels}) < len(labels) or not all(map(str.strip, labels)) or len(labels) != classes:
        raise InputError(
            f"{LABELS_FILE} must have {classes} different names, it has {len(labels)} lines"
        )
