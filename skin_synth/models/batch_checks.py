"""Checks the batches that `fit` and `evaluate` get, because a GAN trains on wrong ones in silence.

Images in [0, 1] look black to the networks, XLA takes a label outside the classes for another one,
and the losses look healthy in both cases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.models import replicas
from skin_synth.models.keras_options import NO_WEIGHTS
from tfrecords_tools.errors import InputError
from tfrecords_tools.text import exact_number

MEANT = "images are uint8[n, size, size, 3] or floats, with values from 0 to 255"
LARGEST_VALUE = 255.0
Step = Callable[[Iterator[Any]], Any]
"""Keras' function of an execution: it takes the batches and returns the logs."""


class TakesBatches(Protocol):
    """A compiled `ConditionalGAN`, as far as the checks need it."""

    steps_per_execution: int
    image_size: int
    class_names: tuple[str, ...]


def checked(step: Step, gan: TakesBatches) -> Step:
    """Returns a function that draws the batches of an execution, checks them, and steps.

    The check is outside a graph, because XLA drops checks from a graph.
    """
    seen = itertools.count()

    def draw(iterator: Iterator[Any]) -> Iterator[Any]:
        batches = list(itertools.islice(iterator, gan.steps_per_execution))
        if not batches:
            raise StopIteration
        for batch in batches:
            for images, labels in replicas.shares(pair(batch)):
                check_structure(images, labels, gan.image_size)
                first = next(seen) == 0
                check_values(images, labels, len(gan.class_names), every=first)
        return iter(batches)

    return lambda iterator: step(draw(iterator))


def unpack(batch: Any, image_size: int) -> tuple[Any, Any]:
    """Returns images and labels of a batch as Keras gives it, of the right types and shapes.

    Raises:
        InputError: see `pair` and `check_structure`.
    """
    images, labels = pair(batch)
    check_structure(images, labels, image_size)
    return images, labels


def pair(batch: Any) -> tuple[Any, Any]:
    """Returns images and labels of a batch as Keras gives it.

    Raises:
        InputError: it is no pair, or it has weights.
    """
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if weights is not None:
        raise InputError(f"got sample weights (class_weight gives them too): {NO_WEIGHTS}")
    if labels is None or isinstance(images, dict | list | tuple):
        raise InputError(f"a batch is a pair of images and labels, got {_structure(batch)}")
    return images, labels


def check_structure(images: Any, labels: Any, image_size: int) -> None:
    """Checks types and shapes, which are known before any value; also in a graph.

    Raises:
        InputError: they are not those of images of this size and their labels.
    """
    dtype, shape = tf.as_dtype(images.dtype), tuple(images.shape)
    if not (dtype.is_floating or dtype.is_integer):
        raise InputError(f"got {dtype.name} images: {MEANT}")
    if len(shape) != 4 or not all(
        found in (wanted, None)
        for found, wanted in zip(shape[1:], (image_size, image_size, 3), strict=True)
    ):
        raise InputError(
            f"got images of shape {_text(shape)}, these networks take "
            f"[n, {image_size}, {image_size}, 3]: {_way_to_fit(shape, image_size)}"
        )
    _check_label_structure(labels)
    rows, names = shape[0], labels.shape[0]
    if rows == 0 or (None not in (rows, names) and rows != names):
        raise InputError(f"got {rows} images and {names} labels: give a label for each image")


def check_values(images: Any, labels: Any, num_classes: int, *, every: bool) -> None:
    """Checks the values of a batch, outside a graph.

    Args:
        images: of the structure of `check_structure`.
        labels: of that structure.
        num_classes: number of classes.
        every: whether to read the values of uint8 images too.

    Raises:
        InputError: a label outside the classes, or pixels that are not from 0 to 255.
    """
    ids = np.asarray(labels)
    if ids.size and not (ids.min() >= 0 and ids.max() < num_classes):
        raise InputError(
            f"got labels from {ids.min()} to {ids.max()}, the classes are 0 to {num_classes - 1}: "
            "number them in the order of class_names, from 0, and leave out images without a class"
        )
    if not every and images.dtype == np.uint8:
        return
    pixels = np.asarray(images)
    least, most = float(pixels.min()), float(pixels.max())  # both NaN if one value is
    if not (least >= 0 and most <= LARGEST_VALUE):
        found = f"{exact_number(least)} to {exact_number(most)}"
        raise InputError(f"got pixels from {found}: {MEANT}")
    if most <= 1:
        raise InputError(f"got pixels from {least:g} to {most:g}, multiply by 255: {MEANT}")


def _check_label_structure(labels: Any) -> None:
    dtype, shape = tf.as_dtype(labels.dtype), tuple(labels.shape)
    if dtype == tf.string:
        raise InputError("got string labels: give whole numbers, the index of each class name")
    if len(shape) == 2 and shape[1] != 1:
        raise InputError(
            f"got labels of shape {_text(shape)}, as of one-hot labels: give argmax(axis=-1)"
        )
    if len(shape) != 1:
        raise InputError(f"got labels of shape {_text(shape)}: give one number for each image, [n]")
    if not dtype.is_integer:
        raise InputError(f"got {dtype.name} labels: give whole numbers, such as int32")


def _way_to_fit(shape: tuple[int | None, ...], size: int) -> str:
    if len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        return "move the channels to the end"
    if len(shape) == 3 or (len(shape) == 4 and shape[-1] == 1):
        return "repeat the grey channel three times"
    if len(shape) == 4 and shape[-1] == 4:
        return "draw RGBA images on a background, or drop the fourth channel"
    return f"resize the images to {size} pixels, or take a preset of their size"


def _text(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('n' if side is None else str(side) for side in shape)}]"


def _structure(batch: Any) -> str:
    parts = batch if isinstance(batch, list | tuple) else [batch]
    return ", ".join(type(part).__name__ for part in parts)
