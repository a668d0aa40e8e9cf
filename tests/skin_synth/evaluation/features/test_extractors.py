"""Extractors: one resize for all, provenance, and clear errors where weights are missing."""

from __future__ import annotations

import hashlib
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.evaluation.features import extractors as features
from skin_synth.evaluation.features.cpu_layers import PointwiseConv2D
from tfrecords_tools.errors import InputError


def random_images(n, side):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def small_network(**options):
    """Replaces a network of keras.applications: fast to make, with the same outputs."""
    images = keras.Input(options["input_shape"])
    x = keras.layers.Conv2D(4, 3, strides=50, kernel_initializer="ones")(images)
    pooled = keras.layers.GlobalAveragePooling2D(name="global_average_pooling2d")(x)
    return keras.Model(images, pooled, name="small")


def test_features_of_a_classifier(trained):
    extractor = features.of_classifier(trained)
    images = random_images(features.EXTRACTOR_BATCH + 3, 32)
    found = extractor(images)
    assert found.shape == (len(images), extractor.dimension)
    np.testing.assert_allclose(found, trained.features(images), atol=1e-5)
    assert extractor.frechet_name == "FD (classifier)"
    assert extractor.provenance["sha256"] == trained.weights_hash
    assert extractor.provenance["resize"] == "none"
    assert "80 steps" in extractor.provenance["weights"]
    assert extractor.key == (trained.weights_hash, "none", 96)


def test_resize_is_antialiased_and_stays_in_range():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    images = np.repeat(board[None, :, :, None], 3, axis=3).astype(np.uint8)
    small = features.resize(images, 16).numpy()
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], 127.5, atol=3)
    edge = np.zeros((1, 8, 8, 3), np.uint8)
    edge[:, :, 4:] = 255
    large = features.resize(edge, 32).numpy()
    assert (large.min(), large.max()) == (0, 255)
    images = random_images(2, 24)
    np.testing.assert_allclose(features.resize(images, 24), images, atol=1e-3)


@pytest.mark.parametrize(("side", "larger"), [(24, 37), (37, 24), (64, 224)])
def test_resize_is_that_of_tensorflow(side, larger):
    images = random_images(3, side)
    images[0] = 255 * (images[0] > 127)  # overshoots, so that both are clipped
    expected = tf.image.resize(
        tf.cast(images, tf.float32), (larger, larger), method="bicubic", antialias=True
    )
    assert expected.numpy().max() > 256
    found = features.resize(images, larger)
    np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=1e-3)
    wide = images[:, : side // 2]
    stretched = tf.image.resize(tf.cast(wide, tf.float32), (20, 20), "bicubic", antialias=True)
    np.testing.assert_allclose(features.resize(wide, 20), np.clip(stretched, 0, 255), atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_batch_in_parts_gives_the_features_of_the_whole(monkeypatch, count):
    network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
    images = random_images(count, 12)
    whole = features._on_resized(network, 8)(images)
    monkeypatch.setattr(features, "CPU_BATCH", 2)
    np.testing.assert_allclose(features._on_resized(network, 8)(images), whole, rtol=1e-5)
    assert whole.shape == (count, 4)


def test_a_file_without_weights_of_mobilenet_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no file at .*none\.h5"):
        features.mobilenet(tmp_path / "none.h5")
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
    assert extractor.frechet_name == "FID"
    assert extractor.provenance == {
        "weights": "good.weights.h5",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "resize": "bicubic to 299x299, antialiased",
    }
    white = extractor(np.full((3, 32, 32, 3), 255, np.uint8))
    np.testing.assert_allclose(white, 27, rtol=1e-5)  # ones over 3x3x3 pixels of value 1


@pytest.mark.parametrize(
    ("name", "application", "side"),
    [("inception", "InceptionV3", 299), ("mobilenet", "MobileNet", 224)],
)
def test_weights_from_the_network(monkeypatch, name, application, side):
    asked = []

    def downloaded(*, weights, **options):
        asked.append(weights)
        return small_network(weights=None, **options)

    monkeypatch.setattr(keras.applications, application, downloaded)
    extractor = getattr(features, name)(None)
    assert asked == ["imagenet"]
    assert extractor.provenance["weights"] == "ImageNet, keras.applications"
    assert extractor.provenance["resize"] == f"bicubic to {side}x{side}, antialiased"
    assert len(extractor.provenance["sha256"]) == 64
    assert extractor.dimension == 4

    def no_network(**options):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, application, no_network)
    with pytest.raises(InputError, match=r"cannot be downloaded \(URL fetch failure\): give --w"):
        getattr(features, name)(None)


@pytest.mark.real
@pytest.mark.skipif("MOBILENET_WEIGHTS" not in os.environ, reason="MOBILENET_WEIGHTS is not set")
def test_mobilenet_with_imagenet_weights():
    extractor = features.mobilenet(os.environ["MOBILENET_WEIGHTS"])
    images = random_images(3, 64)
    found = extractor(images)
    assert found.shape == (3, 768)
    assert extractor.frechet_name == "FD (MobileNet)"
    np.testing.assert_allclose(found[:1], extractor(images[:1]), atol=1e-4)
    assert found.std() > 0.1


def test_mobilenet_without_its_normalisations_gives_the_same_features():
    network = keras.applications.MobileNet(alpha=0.25, input_shape=(64, 64, 3), weights=None)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            values = rng.uniform(0.5, 1.5, (2, *shape)), rng.normal(0, 0.3, (2, *shape))
            gamma, variance, beta, mean = np.concatenate(values)
            layer.set_weights([gamma, beta, mean, variance])
    pooling = keras.layers.GlobalAveragePooling2D
    pooled = next(layer.output for layer in network.layers if isinstance(layer, pooling))
    folded = features._folded(network)
    kinds = [type(each) for each in folded.layers]
    assert keras.layers.BatchNormalization not in kinds
    assert kinds.count(PointwiseConv2D) == 13
    images = rng.uniform(-1, 1, (4, 64, 64, 3)).astype(np.float32)
    expected = keras.Model(network.input, pooled)(images, training=False).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(folded(images), expected, rtol=1e-4, atol=1e-5)


def saved(tmp_path, inputs, outputs):
    keras.Model(inputs, outputs).save(tmp_path / "lesions.keras")
    return tmp_path / "lesions.keras"


@pytest.mark.parametrize("side", [48, None])
def test_any_saved_model(tmp_path, side):
    images = keras.Input((side, side, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(0.1)(images))
    path = saved(tmp_path, images, pooled)
    extractor = features.load_extractor(str(path), None)
    assert extractor.name == "lesions.keras"
    assert extractor.frechet_name == "FD (lesions)"
    assert extractor.dimension == 3
    assert extractor.provenance == {
        "weights": "lesions.keras",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "resize": "none" if side is None else "bicubic to 48x48, antialiased",
    }
    plain = np.full((5, 32, 32, 3), 200, np.uint8)
    np.testing.assert_allclose(extractor(plain), 20, rtol=1e-4)


def test_a_map_of_features_is_averaged_over_its_places(tmp_path):
    images = keras.Input((32, 32, 3))
    extractor = features.keras_model(
        saved(tmp_path, images, keras.layers.AveragePooling2D(4)(images))
    )
    batch = random_images(3, 32)
    np.testing.assert_allclose(extractor(batch), batch.mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "outputs", "message"),
    [
        ((32, 16, 3), 1, r"square images .* turns \(None, 32, 16, 3\)"),
        ((32, 32, 1), 1, r"square images .* turns \(None, 32, 32, 1\)"),
        ((32, 32, 3), 2, "one row of features"),
    ],
)
def test_a_model_of_another_kind_is_refused(tmp_path, shape, outputs, message):
    images = keras.Input(shape)
    pooled = [keras.layers.GlobalAveragePooling2D()(images)] * outputs
    path = saved(tmp_path, images, pooled[0] if outputs == 1 else pooled)
    with pytest.raises(InputError, match=message):
        features.keras_model(path)


def test_a_file_that_holds_no_model_is_named_and_code_in_it_is_not_run(tmp_path):
    (tmp_path / "bad.keras").write_text("this is no model")
    with pytest.raises(InputError, match=r"bad\.keras holds no Keras model: "):
        features.load_extractor(str(tmp_path / "bad.keras"), None)
    images = keras.Input((32, 32, 3))
    path = saved(tmp_path, images, keras.layers.Lambda(lambda x: x[:, 0, 0])(images))
    with pytest.raises(InputError, match=r"holds no Keras model: .*unsafe"):
        features.keras_model(path)


@pytest.mark.parametrize("name", features.EXTRACTOR_NAMES)
def test_each_name_has_an_extractor(name, monkeypatch):
    for kind in ("mobilenet", "inception"):
        monkeypatch.setattr(features, kind, lambda weights, kind=kind: (kind, weights))
    expected = None if name == "classifier" else (name, "w.h5")
    assert features.load_extractor(name, None if expected is None else "w.h5") == expected


def tried(function, name="lesions.keras"):
    provenance = {"weights": "", "sha256": "", "resize": ""}
    return features.Extractor(name, "", 4, provenance, function)


def one_live(images):
    return np.pad(images[:, 0, 0, :1].astype(np.float32) / 255, ((0, 0), (0, 3)))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_features_that_distinguish_images_pass_at_any_scale(scale):
    features.check_spread(tried(lambda images: scale * one_live(images)), random_images(60, 8))


@pytest.mark.parametrize(
    "function",
    [
        lambda images: np.ones((len(images), 4), np.float32),
        lambda images: np.zeros((len(images), 4), np.float32),
        lambda images: np.float32(1 - 1e-7 * one_live(images)),  # rounding
        lambda images: np.where(one_live(images) > 0.9, one_live(images), 0),  # mostly dead
    ],
)
def test_features_without_spread_are_refused(function):
    with pytest.raises(InputError, match=r"the same for real images.*pixels from 0 to 255"):
        features.check_spread(tried(function), random_images(60, 8))


def test_features_that_are_not_finite_are_refused():
    def some(images):
        found = one_live(images)
        found[0, 1] = np.nan
        return found

    with pytest.raises(InputError, match=r"lesions\.keras hold numbers .* for 1 of 60 images"):
        features.check_spread(tried(some), random_images(60, 8))
