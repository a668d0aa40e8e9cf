"""Finds generators that installed distributions bring, and loads generators from SavedModels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.data.synthetic import GeneratesBatches
from skin_synth.pretrained.catalogue import find_generator, known_names
from skin_synth.provenance import content_hash
from skin_synth.saved_model.data_images import DataImage, read_data_images
from skin_synth.saved_model.graph_check import check_graph
from skin_synth.saved_model.labels import LABELS_FILE, read_labels
from skin_synth.saved_model.model_card import MODEL_CARD_FILE
from skin_synth.saved_model.origin import ORIGIN_FILE, Origin, read_origin
from skin_synth.saved_model.process import TRACING, check_not_forked
from skin_synth.saved_model.sampler import generate_rows
from skin_synth.saved_model.variables_check import check_variables
from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError
from tfrecords_tools.text import first_line


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained(GeneratesBatches):
    """A generator from a SavedModel; it generates images like a trained run.

    Attributes:
        name: of an installed generator; of an exported one, the directory as it was given.
        directory: of its SavedModel version.
        class_names: in the order of their labels.
        origin: its run, weights and data set.
        model_card: Markdown: data, figures, intended use, limits, licence.
        data_images: class and split of the images of its data set, by id; None if it has no list.
        signature: the signature `generate` of the SavedModel.
        model: the loaded object; holds the variables of the SavedModel.
    """

    name: str
    directory: Path
    class_names: tuple[str, ...]
    origin: Origin
    model_card: str
    data_images: Mapping[str, DataImage] | None
    signature: Callable[..., Mapping[str, tf.Tensor]]
    model: object = dataclasses.field(repr=False)

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.origin.image_size

    @property
    def data_dir(self) -> None:
        """None, because the training images do not come along."""

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


def load_pretrained(name: str) -> Pretrained:
    """Loads an installed generator, such as "derm-64-ham10000" of `skin-synth-ham10000`.

    A distribution brings a generator by an entry point of the group `catalogue.ENTRY_POINTS`. A
    name that no distribution brings may be the directory of an exported model, see `load_exported`.

    Raises:
        InputError: no installed generator has this name, several have it, or its files are
            missing or damaged.
    """
    if name and name not in known_names() and Path(name).is_dir():
        return load_exported(name)
    directory, repair = find_generator(name)
    return _load(name, directory, repair=repair)


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
    origin = read_origin(directory, repair=repair)
    check_not_forked()
    try:
        check_graph(directory)
        check_variables(directory, origin.checkpoint_hash)
        labels = read_labels(directory)
        images = read_data_images(directory)
        card = read_bounded(directory / MODEL_CARD_FILE).decode("utf-8")
        with TRACING:
            model = tf.saved_model.load(str(directory))
        signature = model.signatures["generate"]
        _check_labels(labels, classes=model.variables_of_generator[0].shape[0])
        # The list of objects in `variables` decides which value a variable gets.
        weights = (variable.numpy() for variable in model.variables_of_generator)
        if content_hash(*weights) != origin.checkpoint_hash:
            raise InputError(f"its weights are not those that {ORIGIN_FILE} names")
    except Exception as error:  # TensorFlow raises many types
        raise InputError(f"{directory} is damaged ({first_line(error)}): {repair}") from error
    return Pretrained(name, directory, labels, origin, card, images, signature, model)


def _check_labels(labels: Sequence[str], *, classes: int) -> None:
    """Checks the class names against the rows of the generator's embedding of classes."""
    if len({*labels}) < len(labels) or not all(map(str.strip, labels)) or len(labels) != classes:
        raise InputError(
            f"{LABELS_FILE} must have {classes} different names, it has {len(labels)} lines"
        )
