"""Batches: what does not fit is named, before it trains anything."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.batch_checks import check_structure, check_values, pair
from tfrecords_tools.errors import InputError

LABELS = np.array([0, 1, 2, 0], np.int32)


def images(shape=(4, 16, 16, 3), dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


GOOD = {
    "uint8": (images(), LABELS),
    "floats from 0 to 255": (images(dtype=np.float32), LABELS),
    "half floats": (images(dtype=np.float16), LABELS),
    "whole numbers": (images(dtype=np.int32), LABELS.astype(np.int64)),
    "small labels": (images(), LABELS.astype(np.uint8)),
    "one image": (images((1, 16, 16, 3)), LABELS[:1]),
}


@pytest.mark.parametrize("batch", GOOD.values(), ids=GOOD)
def test_images_and_labels_pass(batch):
    for given in (batch, tuple(map(tf.constant, batch))):
        check_structure(*given, 16)
        check_values(*given, 3, every=True)


STRUCTURES = {
    "grey": (images((4, 16, 16, 1)), LABELS, "repeat the grey channel"),
    "grey without channel": (images((4, 16, 16)), LABELS, "repeat the grey channel"),
    "RGBA": (images((4, 16, 16, 4)), LABELS, "drop the fourth channel"),
    "channels first": (images((4, 3, 16, 16)), LABELS, "move the channels to the end"),
    "larger": (images((4, 32, 32, 3)), LABELS, r"resize the images to 16 pixels"),
    "not square": (images((4, 16, 24, 3)), LABELS, r"shape \[4, 16, 24, 3\]"),
    "one image alone": (images((16, 16, 3)), LABELS, r"these networks take \[n, 16, 16, 3\]"),
    "no image": (images((0, 16, 16, 3)), LABELS[:0], "got 0 images"),
    "strings": (np.array([b"x.png"] * 4), LABELS, "got string images"),
    "masks": (images(dtype=bool), LABELS, "got bool images"),
    "one-hot": (images(), np.eye(3, dtype=np.float32)[LABELS], r"give argmax\(axis=-1\)"),
    "a column": (images(), LABELS[:, None], "give one number for each image"),
    "one label": (images(), LABELS[0], "give one number for each image"),
    "float labels": (images(), LABELS.astype(np.float32), "got float32 labels"),
    "names": (images(), np.array([b"mel", b"nv", b"df", b"mel"]), "got string labels"),
    "fewer labels": (images(), LABELS[:3], "got 4 images and 3 labels"),
}


@pytest.mark.parametrize(("given", "labels", "message"), STRUCTURES.values(), ids=STRUCTURES)
def test_another_structure_is_named_in_a_graph_too(given, labels, message):
    given, labels = tf.constant(given), tf.constant(labels)
    with pytest.raises(InputError, match=message):
        check_structure(given, labels, 16)
    step = tf.function(lambda *batch: check_structure(*batch, 16), autograph=False)
    with pytest.raises(InputError, match=message):
        step.get_concrete_function(given, labels)


def test_a_graph_may_leave_sizes_open():
    specs = tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None], tf.int32)
    seen = []
    step = tf.function(lambda *batch: seen.append(check_structure(*batch, 16)), autograph=False)
    step.get_concrete_function(*specs)
    assert seen == [None]


UNIT = images(dtype=np.float32) / 255
VALUES = {
    "[0, 1]": (UNIT, "multiply by 255"),
    "[-1, 1]": (2 * UNIT - 1, "got pixels from -1 to 1"),
    "[-0.5, 0.5]": (UNIT - 0.5, "got pixels from -0.5 to 0.5"),
    "standardised": (5 * UNIT - 2, "got pixels from -2 to 3"),
    "a little too bright": (255.00049 * UNIT, "got pixels from 0 to 255.0004"),
    "16 bits": (images(dtype=np.uint16) * 257, "got pixels from 0 to 65535"),
    "NaN": (np.where(UNIT > 0.99, np.nan, 255 * UNIT), "got pixels from nan to nan"),
    "infinite": (np.where(UNIT > 0.99, np.inf, 255 * UNIT), "to inf"),
    "[0, 1] as uint8": (UNIT.round().astype(np.uint8), "multiply by 255"),
}


@pytest.mark.parametrize(("given", "message"), VALUES.values(), ids=VALUES)
def test_another_range_is_named(given, message):
    with pytest.raises(InputError, match=f"{message}.*: images are uint8"):
        check_values(tf.constant(given), tf.constant(LABELS), 3, every=True)


@pytest.mark.parametrize("labels", [[-1, 0, 1, 2], [1, 2, 3, 1], [0, 0, 0, 255]], ids=str)
@pytest.mark.parametrize("every", [False, True])
def test_labels_outside_the_classes_are_named_in_each_batch(labels, every):
    message = f"got labels from {min(labels)} to {max(labels)}, the classes are 0 to 2"
    with pytest.raises(InputError, match=message):
        check_values(images(), np.array(labels), 3, every=every)


PAIRS = {
    "no labels": ((images(), None), "pair of images and labels"),
    "images alone": (images(), "pair of images and labels"),
    "a dict": ({"image": images(), "label": LABELS}, "pair of images and labels"),
    "weights": ((images(), LABELS, np.ones(4)), "sample weights"),
}


@pytest.mark.parametrize(("batch", "message"), PAIRS.values(), ids=PAIRS)
def test_what_is_no_pair_is_named(batch, message):
    with pytest.raises(InputError, match=message):
        pair(batch)
