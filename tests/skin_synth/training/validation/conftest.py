"""Small sets of flat, noisy images whose class is their colour, and features that see it."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.extractors import Extractor

NAMES = ("red", "green", "blue")
SIDE = 8


def draw(label, seed):
    """One image: a colour by class, its lightness and grain by seed."""
    rng = np.random.default_rng([label, seed])
    image = np.full((SIDE, SIDE, 3), 60.0)
    image[..., label] = rng.uniform(120, 240)
    return (image + rng.uniform(-20, 20, image.shape)).astype(np.uint8)


def split_of(counts, first_seed=0):
    """A split with this many images of each class."""
    labels = np.repeat(np.arange(len(NAMES)), counts)
    images = [draw(label, first_seed + row) for row, label in enumerate(labels)]
    ids = tuple(str(first_seed + row) for row in range(len(labels)))
    return LabelledImages(np.array(images), labels, ids, ids, NAMES)


@pytest.fixture
def extractor():
    """Twelve features: the mean colours of the four quarters of an image."""

    def quarters(images):
        return images.reshape(len(images), 2, 4, 2, 4, 3).mean(axis=(2, 4)).reshape(-1, 12) / 64

    provenance = {"weights": "none", "sha256": "0" * 64, "resize": "none"}
    return Extractor("colours", "FD (colours)", 12, provenance, quarters)


@pytest.fixture
def train():
    return split_of([40, 30, 20], first_seed=1_000)


@pytest.fixture
def held_out():
    return split_of([20, 10, 4])
