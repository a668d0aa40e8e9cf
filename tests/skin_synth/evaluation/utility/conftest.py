"""A small study without networks: images of three colours, and a classifier in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility import classifier_training
from skin_synth.evaluation.utility.classifiers.training import State

NAMES = ("red", "green", "blue")
SIDE = 8
MEANS = Extractor(
    "means",
    "FD (means)",
    3,
    {"weights": "none", "sha256": "m", "resize": "none"},
    lambda images: images.mean(axis=(1, 2)).astype(np.float32),
)


def colours(labels, seed):
    """Noisy images of one colour each: uint8[n, SIDE, SIDE, 3]."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, 70, (len(labels), 1, 1, 3))
    images = 100 + 40 * np.eye(3)[labels][:, None, None] + shift
    return np.clip(images + rng.normal(0, 20, (len(labels), SIDE, SIDE, 3)), 0, 255).astype("uint8")


def coloured_split(counts, seed):
    return split_of(colours, counts, seed)


def split_of(draw, counts, seed):
    """Images in the order of their classes, each of another lesion."""
    labels = np.repeat(np.arange(3), counts)
    names = tuple(f"{seed}-{row}" for row in range(len(labels)))
    return LabelledImages(draw(labels, seed), labels, names, names, NAMES)


@pytest.fixture(scope="session")
def coloured_splits():
    return coloured_split((40, 8, 8), 1), coloured_split((9, 9, 9), 2), coloured_split((24,) * 3, 3)


class ClassMeans:
    """Has the interface of `Trainer`: assigns images to the nearest mean of what an arm draws."""

    def probabilities(self, pool, arm, class_counts, *tests, seed, steps):
        classes = len(class_counts)
        cell = pool.labels + classes * pool.synthetic
        sizes = np.bincount(cell, minlength=2 * classes)
        weights = (arm.cells(class_counts).ravel() / np.maximum(sizes, 1))[cell]
        noise = np.random.default_rng([seed, steps]).normal(0, 2, (classes, 3))
        inputs = _three_features(pool.inputs)
        spread = max(inputs.std(), 1e-9)
        means = [
            np.average(inputs[chosen], axis=0, weights=weights[chosen])
            for chosen in (pool.labels == label for label in range(classes))
        ]
        prior = np.log(np.bincount(pool.labels, weights, classes) * arm.loss_weights(class_counts))
        found = []
        for images in tests:
            away = _three_features(images)[:, None] - (means + noise * spread / 70)
            logits = prior - np.square(away / spread).sum(axis=2)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            found.append((odds / odds.sum(axis=1, keepdims=True)).astype(np.float32))
        return found


def _three_features(inputs):
    """The mean colour of images, or the first three features, averaged over views."""
    axes = tuple(range(1, inputs.ndim - 1))
    return inputs.mean(axis=axes, dtype=np.float64)[:, :3]


class ColourMeans:
    """Has the interface of `Trainer`: its weights are mean colours of all draws."""

    class classifier:
        name, weights_hash, learning_rate = "means", "", 1.0

    class network:
        count_params = staticmethod(lambda: 9)

    policy, batch_size = "float32", 4

    def __init__(self):
        self.calls = []

    def fresh(self, seed):
        sums = np.random.default_rng(seed).normal(0, 1, (3, 3))
        return State((sums, np.full((3, 1), 1e-6)), (np.zeros(1),))

    def train(self, state, pool, method, *, seed, steps, total):
        self.calls.append((len(pool.images), steps))
        drawn = len(steps) * (pool.targets * pool.shares[:, None]).T
        sums = state.weights[0] + drawn @ pool.images.mean(axis=(1, 2))
        mass = state.weights[1] + drawn.sum(axis=1, keepdims=True)
        return State((sums, mass), state.optimizer), np.ones(len(steps), np.float32)

    def log_probabilities(self, state, images):
        sums, mass = state.weights
        away = images.mean(axis=(1, 2))[:, None] - sums / mass
        logits = -np.square(away / 100).sum(axis=2)
        logits -= logits.max(axis=1, keepdims=True)
        return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


@pytest.fixture
def no_networks(monkeypatch):
    """Classifiers that train in no time."""
    for name in ("cnn_trainer", "linear_trainer"):
        monkeypatch.setattr(classifier_training, name, lambda *_: ClassMeans())
