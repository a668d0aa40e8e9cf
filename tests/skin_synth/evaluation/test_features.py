"""Extractors: one resize for all, provenance, and clear errors where weights are missing."""

from __future__ import annotations

import hashlib
import os

import keras
import numpy as np
import pytest

from skin_synth.evaluation import features
from tfrecords_tools.errors import InputError


def random_images(n, side):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def small_network(**options):
    """Stands for a network of keras.applications: fast to make, with the same outputs."""
    images = keras.Input(options["input_shape"])
    x = keras.layers.Conv2D(4, 3, strides=50, kernel_initializer="ones")(images)
    pooled = keras.layers.GlobalAveragePooling2D(name="global_average_pooling2d")(x)
    return keras.Model(images, pooled, name="small")


def test_features_of_a_classifier(trained):
    extractor = features.of_classifier(trained)
    images = random_images(features.BATCH_SIZE + 3, 32)
    found = extractor(images)
    assert found.shape == (len(images), extractor.dimension)
    np.testing.assert_allclose(found, trained.features(images), atol=1e-5)
    assert extractor.distance_name == "FD (classifier)"
    assert extractor.provenance["sha256"] == trained.weights_hash
    assert extractor.provenance["resize"] == "none"
    assert "80 steps" in extractor.provenance["weights"]


def test_resize_is_antialiased_and_stays_in_range():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    images = np.repeat(board[None, :, :, None], 3, axis=3).astype(np.uint8)
    small = features.resize(images, 16).numpy()
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], 127.5, atol=3)
    edge = np.zeros((1, 8, 8, 3), np.uint8)
    edge[:, :, 4:] = 255
    large = features.resize(edge, 32).numpy()
    assert large.min() == 0
    assert large.max() == 255


def test_resize_keeps_an_image_of_the_right_size():
    images = random_images(2, 24)
    np.testing.assert_allclose(features.resize(images, 24), images, atol=1e-3)


def test_mobilenet_needs_its_weights(tmp_path):
    with pytest.raises(InputError, match="give --weights FILE"):
        features.mobilenet(None)
    with pytest.raises(InputError, match=r"no weights file at .*none\.h5"):
        features.mobilenet(tmp_path / "none.h5")


def test_a_file_that_holds_no_weights_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.applications, "MobileNet", small_network)
    file = tmp_path / "bad.weights.h5"
    file.write_text("these are no weights")
    with pytest.raises(InputError, match=r"bad\.weights\.h5 holds no weights for small: "):
        features.mobilenet(file)


def test_inception_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", small_network)
    file = tmp_path / "good.weights.h5"
    small_network(input_shape=(299, 299, 3)).save_weights(file)
    extractor = features.inception(file)
    assert extractor.distance_name == "FID"
    assert extractor.provenance == {
        "weights": "good.weights.h5",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "resize": "bicubic to 299x299, antialiased",
    }
    white = extractor(np.full((3, 32, 32, 3), 255, np.uint8))
    np.testing.assert_allclose(white, 27, rtol=1e-5)  # ones over 3x3x3 pixels of value 1


def test_inception_from_the_network(monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", small_network)
    extractor = features.inception(None)
    assert extractor.provenance["weights"] == "ImageNet, keras.applications"
    assert len(extractor.provenance["sha256"]) == 64
    assert extractor.dimension == 4


def test_inception_without_a_network_says_what_to_do(monkeypatch):
    def no_network(**options):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", no_network)
    with pytest.raises(InputError, match=r"cannot be downloaded \(URL fetch failure\): give"):
        features.inception(None)


@pytest.mark.real
@pytest.mark.skipif("MOBILENET_WEIGHTS" not in os.environ, reason="MOBILENET_WEIGHTS is not set")
def test_mobilenet_with_imagenet_weights():
    extractor = features.mobilenet(os.environ["MOBILENET_WEIGHTS"])
    images = random_images(3, 64)
    found = extractor(images)
    assert found.shape == (3, 768)
    assert extractor.distance_name == "FD (MobileNet)"
    np.testing.assert_allclose(found[:1], extractor(images[:1]), atol=1e-4)
    assert found.std() > 0.1
