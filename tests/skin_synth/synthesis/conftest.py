"""A generator of fresh phantoms, and for some seeds of images that a filter must drop."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.phantoms import render
from skin_synth.synthesis.filters import make_filter
from tests.origins import make_origin

SIZE = 32
STEPS = 60
NEAR_TRAINING, OTHER_CLASS, NEAR_DUPLICATE, EXACT_COPY, NOISE, GOOD = range(6)
"""Meaning of the last digit of a seed; 5 and above are good."""


@dataclasses.dataclass(frozen=True)
class FakeRun:
    """Replaces a trained run; the last digit of a seed says what it draws."""

    class_names: tuple[str, ...]
    origin: object
    data_dir: Path
    training: object
    tricks: bool = True

    image_size = SIZE

    def generate(self, label_ids, seeds, *, truncation=1.0):
        pairs = zip(label_ids, seeds, strict=True)
        return np.stack([self.draw(int(label), int(seed)) for label, seed in pairs])

    def draw(self, label, seed):
        digit = seed % 10 if self.tricks else GOOD
        if digit == OTHER_CLASS:
            label = (label + 3) % len(self.class_names)
        if digit in (NEAR_TRAINING, EXACT_COPY):
            rows = np.flatnonzero(self.training.labels == label)
            image = self.training.images[rows[seed // 10 % len(rows)]]
            # Mirrored and a little noisy: no exact copy, but the same photograph.
            return image if digit == EXACT_COPY else shaken(image[:, ::-1], seed)
        if digit == NEAR_DUPLICATE:
            return shaken(self.draw(label, seed - 3), seed)  # of the last good one before
        if digit == NOISE:
            return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        return fresh(self.class_names[label], seed)


def table(file):
    """The rows of a CSV."""
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def shaken(image, seed):
    noise = np.random.default_rng(seed).integers(-1, 2, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def fresh(label, seed):
    return render(77, seed % 2**31, label, SIZE)[0]


@pytest.fixture(scope="session")
def training(phantom_data):
    return load_split(phantom_data, "train")


@pytest.fixture(scope="session")
def held_out(phantom_data):
    return load_split(phantom_data, "validation")


@pytest.fixture(scope="session")
def fake_run(phantom_data, training):
    return FakeRun(training.class_names, make_origin(phantom_data), phantom_data, training)


@pytest.fixture(scope="session")
def candidate_filter(training, held_out):
    return make_filter(training, held_out, seed=0, steps=STEPS)
