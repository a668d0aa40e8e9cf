"""A small study without networks: images of three colours, and a classifier in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.classifiers.training import State

NAMES = ("red", "green", "blue")
SIDE = 8


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
    return coloured_split((40, 8, 8), 1), coloured_split((60,) * 3, 2), coloured_split((80,) * 3, 3)


class ColourMeans:
    """Has the interface of `Trainer`: assigns images to the nearest mean colour of a class.

    Each phase counts by its steps. Weights: sums of colours of all draws, and numbers of draws.
    """

    class classifier:
        name, weights_hash, learning_rate = "means", "", 1.0

    class network:
        count_params = staticmethod(lambda: 12)

    policy, batch_size = "float32", 4
    noise, noise_unaugmented = 0.1, 10.0

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
        noise = self.noise if method.augmented else self.noise_unaugmented
        sums = sums + np.random.default_rng([seed, steps.start]).normal(0, noise, sums.shape)
        return State((sums, mass), state.optimizer), np.ones(len(steps), np.float32)

    def log_probabilities(self, state, images):
        sums, mass = state.weights
        away = images.mean(axis=(1, 2))[:, None] - sums / mass
        logits = -np.square(away / 100).sum(axis=2) + np.log(np.maximum(mass[:, 0], 1e-3))
        logits -= logits.max(axis=1, keepdims=True)
        return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
