"""The small CNN: learns, repeats itself exactly, and its figures are right."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features import classifier
from skin_synth.evaluation.features.classifier import (
    Classifier,
    cached_classifier,
    confusion,
    faithfulness,
    load_classifier,
    save_classifier,
    small_cnn,
    train_classifier,
)
from tfrecords_tools.errors import InputError


def plain_images(n, side, classes=("dark", "bright")):
    """Grey images, dark or bright."""
    labels = np.arange(n) % len(classes)
    grey = (40 + 150 * labels).astype(np.uint8)
    images = np.broadcast_to(grey[:, None, None, None], (n, side, side, 3))
    names = tuple(str(i) for i in range(n))
    return LabelledImages(images, labels, names, names, classes)


def test_learns_phantoms(trained, large_phantom_data):
    test = load_split(large_phantom_data, "test")
    probabilities = trained.predict(test.images)
    assert probabilities.shape == (len(test), 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (probabilities.argmax(axis=1) == test.labels).mean() > 0.9
    features = trained.features(test.images)
    assert features.shape == (len(test), classifier.CNN_WIDTHS[-1])
    assert features.dtype == np.float32


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    data = plain_images(8, 16)
    first, again, other = (train_classifier(data, seed=seed, steps=3) for seed in (1, 1, 2))
    assert first.weights_hash == again.weights_hash != other.weights_hash
    assert len(first.weights_hash) == 64
    assert (first.seed, first.steps) == (1, 3)


def test_the_largest_seed_makes_a_network():
    assert classifier.small_cnn(32, 2, 2**63 - 1).count_params() > 0


def test_a_kept_classifier_is_the_trained_one(tmp_path):
    data, path = plain_images(8, 16), tmp_path / "classifier.weights.h5"
    trained = train_classifier(data, seed=-1, steps=3)
    save_classifier(trained, path)
    loaded = load_classifier(path, 16, data.class_names, seed=-1, steps=3)
    assert loaded.weights_hash == trained.weights_hash
    np.testing.assert_array_equal(loaded.predict(data.images), trained.predict(data.images))


def test_weights_of_another_classifier_are_refused(tmp_path):
    path = tmp_path / "classifier.weights.h5"
    save_classifier(train_classifier(plain_images(8, 16), steps=1), path)
    with pytest.raises(InputError, match="no weights of a classifier of 3 classes"):
        load_classifier(path, 16, ("a", "b", "c"), seed=0, steps=1)


def test_a_classifier_is_trained_once_for_each_seed(tmp_path, monkeypatch, caplog):
    data, cache = plain_images(8, 16), Cache(tmp_path)
    first = cached_classifier(data, seed=3, steps=2, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(classifier, "train_classifier", None)
        again = cached_classifier(data, seed=3, steps=2, cache=cache)
        with pytest.raises(TypeError):
            cached_classifier(data, seed=4, steps=2, cache=cache)
    assert again.weights_hash == first.weights_hash
    assert (again.seed, again.steps) == (3, 2)
    np.testing.assert_allclose(again.predict(data.images), first.predict(data.images), atol=1e-6)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(b"rubbish")
    anew = cached_classifier(data, seed=3, steps=2, cache=cache)
    assert anew.weights_hash == first.weights_hash
    assert f"{entry} cannot be read" in caplog.text
    assert cached_classifier(data, seed=3, steps=2, cache=Cache(None)).steps == 2


def test_large_images_are_averaged_down():
    found = train_classifier(plain_images(4, 128), seed=0, steps=1)
    assert found.predict(plain_images(3, 128).images).shape == (3, 2)
    sizes = [
        layer.output.shape[1] for layer in found.network.layers if len(layer.output.shape) == 4
    ]
    assert classifier.LARGEST_SIDE == sizes[2] < sizes[1] == 128


def test_steps_follow_the_size_of_the_data():
    assert [classifier.default_steps(images) for images in (100, 2560, 10**6)] == [120, 240, 1000]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (plain_images(4, 16, ("dark",)), r"two classes or more, got \('dark',\)"),
        (plain_images(1, 16), "have no training image"),
    ],
)
def test_classes_without_images_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        train_classifier(data, steps=1)


def test_confusion_and_faithfulness_equal_scikit_learn():
    requested, assigned = np.random.default_rng(0).integers(0, 4, (2, 50))
    matrix = confusion(requested, assigned, 4)
    np.testing.assert_array_equal(matrix, confusion_matrix(requested, assigned))
    assert faithfulness(matrix)[0] == pytest.approx(balanced_accuracy_score(requested, assigned))
    assert faithfulness(np.array([[3, 1, 0], [0, 0, 0], [0, 5, 5]])) == (0.625, [0.75, None, 0.5])


def test_any_number_of_images_is_traced_once():
    """Keras traces for each of several shapes."""
    judge = Classifier(small_cnn(32, 3, 0), ("a", "b", "c"), 0, 1)
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    found = [judge.judge(images[:count]) for count in (9, 5, 1, 0, 7)]
    assert isinstance(judge._compiled, tf.types.experimental.ConcreteFunction)
    assert [len(probabilities) for probabilities, _ in found] == [9, 5, 1, 0, 7]
    logits, features = judge.network(images, training=False)
    np.testing.assert_allclose(found[0][0], tf.nn.softmax(logits), atol=1e-6)
    np.testing.assert_allclose(found[0][1], features, rtol=1e-5, atol=1e-5)


def test_tensorflow_does_not_warn_of_many_classifiers(monkeypatch):
    """It would warn of functions of one line that are traced once each."""
    warned = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda *text: warned.append(text))
    images = np.zeros((3, 32, 32, 3), np.uint8)
    for seed in range(8):
        judge = Classifier(small_cnn(32, 3, seed), ("a", "b", "c"), seed, 1)
        judge.predict(images)
    assert not warned


def test_fused_training_takes_the_same_steps():
    data = plain_images(8, 16)
    plain, fused = (train_classifier(data, seed=2, steps=2, fused=fused) for fused in (False, True))
    assert [type(each) for each in fused.network.layers] == [
        type(each) for each in plain.network.layers
    ]
    start = small_cnn(16, len(data.class_names), 2).get_weights()
    for first, other, untrained in zip(
        plain.network.get_weights(), fused.network.get_weights(), start, strict=True
    ):
        # Means, because Adam turns the rounding of a gradient near 0 into a whole step.
        assert np.abs(other - first).mean() < 0.05 * np.abs(first - untrained).mean()
