"""Fifty training images, held-out ones, and generators that memorise or do not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.privacy.study import PrivacyOptions, study_privacy
from skin_synth.phantoms import render
from tests.origins import make_origin
from tests.skin_synth.evaluation.conftest import MODES, SIZE, FakeRun, lesions

NAMES = tuple(MODES)
OPTIONS = PrivacyOptions(images_per_class=100, seed=5)
EXTRACTOR = Extractor(
    name="blocks",
    title="blocks",
    dimension=48,
    provenance={"weights": "none", "sha256": "0" * 64, "resize": "none"},
    function=lambda images: images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4)).reshape(-1, 48),
)
"""Features that need no training: means of 8x8 pixels."""


def split_of(seed, counts, *, photographs=1):
    """Phantoms of each class, each lesion with so many photographs, all with noise."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = lesions(seed, labels).repeat(photographs, axis=0)
    rng = np.random.default_rng(seed)
    noisy = np.clip(images + rng.normal(0, 4, images.shape), 0, 255).astype(np.uint8)
    rows = range(len(labels) * photographs)
    return LabelledImages(
        noisy,
        labels.repeat(photographs),
        tuple(f"{seed}/{row:04}" for row in rows),
        tuple(f"{seed}/{row // photographs:04}" for row in rows),
        NAMES,
    )


def reordered(split, seed=0):
    return split.subset(np.random.default_rng(seed).permutation(len(split)))


def memoriser(train):
    """Repeats its training images, turned, with another tint and noise."""
    by_class = {name: train.images[train.labels == row] for row, name in enumerate(NAMES)}

    def draw(name, seed):
        rng = np.random.default_rng(seed)
        image = by_class[name][seed % len(by_class[name])]
        image = np.rot90(image, rng.integers(4))[:, :: rng.choice([-1, 1])]
        tint = rng.normal(0, 3, 3) + rng.normal(0, 2, image.shape)
        return np.clip(image + tint, 0, 255).astype(np.uint8)

    return draw


def newcomer(name, seed):
    """Renders fresh phantoms."""
    modes = MODES[name]
    return render(10_000 + seed % 2**31, 0, modes[seed % len(modes)], SIZE)[0]


def run_of(draw, **methods):
    run = FakeRun(NAMES, make_origin(), draw)
    kind = dataclasses.make_dataclass("Run", [], bases=(FakeRun,), namespace=methods, frozen=True)
    return kind(**vars(run))


def studied(draw, train, held_out, *, options=OPTIONS, cache=None, **methods):
    run = run_of(draw, **methods)
    return study_privacy(run, train, held_out, options, features=EXTRACTOR, cache=cache)


@pytest.fixture(scope="session")
def train():
    return split_of(1, (17, 17, 16))


@pytest.fixture(scope="session")
def held_out():
    """A validation and a test split: 160 images of 100 lesions of each class together."""
    return [split_of(2, (40, 40, 40)), split_of(3, (60, 60, 60), photographs=2)]


@pytest.fixture(scope="session")
def memorised(train, held_out):
    return studied(memoriser(train), train, held_out)
