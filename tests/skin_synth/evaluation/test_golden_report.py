"""A whole report of a faulty generator has the keys, figures and sentences of the golden one.

No network is trained: an extractor and a judge in closed form give the same figures on any CPU.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.evaluation import EvaluationOptions, evaluate, evaluator
from skin_synth.evaluation.features.classifier import Classifier
from tests.skin_synth.evaluation.conftest import SIZE, fresh_phantom

GOLDEN = Path(__file__).with_name("golden")
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


class Profiles:
    """Replaces a network: features are colours in eight rings, logits a least squares fit."""

    input_shape = (None, SIZE, SIZE, 3)
    output_shape = (None, 7), (None, 48)

    def __init__(self, train):
        self.weights = np.linalg.lstsq(self.features(train.images), np.eye(7)[train.labels])[0]

    def features(self, images):
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        ring = np.minimum(np.hypot(x, y) // 2, 7)
        inside = [images[:, ring == number].astype(float) for number in range(8)]
        parts = [(each.mean(axis=1) / 64 - 2, each.std(axis=1) / 16) for each in inside]
        return np.concatenate(sum(parts, ()), axis=1).astype(np.float32)

    def __call__(self, images, training=False):
        def outputs(images):
            features = self.features(images)
            return (features @ self.weights).astype(np.float64), features

        return tf.numpy_function(outputs, [images], [tf.float64, tf.float32])

    def get_weights(self):
        return [self.weights]


def faulty(label, seed):
    """Dark images, three images of one class, and one class that shows another one."""
    if label == "ring":
        return fresh_phantom(label, seed % 3)
    image = fresh_phantom("disc" if label == "star" else label, seed)
    return (0.75 * image).astype(np.uint8)


@pytest.fixture(scope="module")
def report(make_run, large_phantom_data, tmp_path_factory):
    def trained(train, *, seed, steps, cache):
        return Classifier(Profiles(train), train.class_names, seed, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluator, "cached_classifier", trained)
        out = tmp_path_factory.mktemp("golden") / "report"
        options = EvaluationOptions(seed=2, seeds=2, steps=5)
        return evaluate(make_run(faulty), large_phantom_data, out, options).path


def stable(text):
    """Without versions and hashes."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    return re.sub(r"(software|python) .* Use and limits", r"\1 Use and limits", text)


def by_place(value, place="report"):
    """All figures and words by their places in a report; empty parts are there too."""
    if not value or not isinstance(value, dict | list):
        return {place: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found = [by_place(part, f"{place}.{name}") for name, part in parts]
    return {name: part for each in found for name, part in each.items()}


def test_the_figures_are_those_of_the_golden_report(report):
    found = json.loads(stable((report / "report.json").read_text("utf-8")))
    found["software"] = sorted(found["software"])
    found = by_place(found)
    expected = by_place(json.loads((GOLDEN / "report.json").read_text("utf-8")))
    assert sorted(found.keys() ^ expected.keys()) == []
    for place, value in expected.items():
        close = pytest.approx(value, rel=1e-4, abs=1e-7) if isinstance(value, float) else value
        assert (type(found[place]), found[place]) == (type(value), close), place


def test_the_page_says_what_the_golden_one_says(report):
    visible = re.sub(
        r"(?s)<style>.*?</style>|<.*?>", " ", (report / "report.html").read_text("utf-8")
    )
    found = stable(" ".join(html.unescape(visible).split()))
    expected = (GOLDEN / "report.txt").read_text("utf-8").replace("\n", " ").strip()
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    numbers, golden = (
        [float(number.replace(",", "")) for number in NUMBER.findall(text)]
        for text in (found, expected)
    )
    assert numbers == pytest.approx(golden, rel=0.02, abs=1e-3)
