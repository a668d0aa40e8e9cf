"""The generators of the package still make the images that were stored with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from skin_synth.pretrained import known_names, load_pretrained
from tfrecords_tools.images.synthetic_mark import SYNTHETIC_XMP

NAMES = ("derm-128-ham10000", "derm-64-ham10000")


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    assert known_names() == NAMES
    return request.param


@pytest.fixture(scope="module")
def shipped(name):
    return load_pretrained(name)


def test_it_generates_the_stored_images(name, shipped):
    """Other machines and TensorFlow builds may differ by one grey level (docs/serving.md)."""
    images = [*shipped.generate([*range(7), 5], [*range(7), -9])]
    images += [*shipped.generate([3], [2**62], truncation=0.5)]
    # Nine in a row: each class, an image of a negative seed, and one with truncation.
    with Image.open(Path(__file__).with_name(f"{name}.png")) as file:
        expected = np.asarray(file).astype(int)
    assert np.abs(np.concatenate(images, axis=1) - expected).max() <= 1


def test_its_signatures_agree(shipped):
    served = shipped.model.signatures["serving_default"](
        label=tf.constant(["mel"]), seed=tf.constant([3], tf.int64)
    )
    label_id = shipped.class_names.index("mel")
    assert served["label_id"].numpy().tolist() == [label_id]
    image = tf.io.decode_png(served["image_bytes"][0])
    np.testing.assert_array_equal(image, shipped.generate([label_id], [3])[0])
    assert SYNTHETIC_XMP in served["image_bytes"][0].numpy()
