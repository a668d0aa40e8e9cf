"""Figures of the whole set and of each class, with those of the real baseline."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.features.labelled_features import LabelledFeatures
from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.metrics.comparison import compare_features
from skin_synth.evaluation.metrics.frechet import frechet_distance
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance


class Named:
    frechet_name, kernel_name = "FID", "KID"


def rows(seed, n=30, shift=0.0, classes=2):
    rng = np.random.default_rng(seed)
    return LabelledFeatures(rng.normal(shift, 1, (n, 4)), np.arange(n) % classes)


def test_figures_of_the_whole_and_of_each_class():
    real, baseline, fakes = rows(0), rows(1), [rows(2, shift=1.0), rows(3, shift=1.0)]
    found = compare_features(Named, ("a", "b"), real, baseline, fakes)
    assert (found.frechet_name, found.kernel_name, found.seeds) == ("FID", "KID", 2)
    whole, second = found.whole, found.classes["b"]
    assert (whole.n, second.n, second.n_floor) == (30, 15, 15)
    x, y = real.features, fakes[0].features
    assert whole.frechet == frechet_distance(x, y)
    assert whole.frechet_floor == frechet_distance(x, baseline.features)
    assert second.kernel == kernel_distance(x[1::2], y[1::2])
    assert second.coverage == manifold.coverage(x[1::2], y[1::2])
    assert whole.recall_floor == manifold.compare(x, baseline.features).recall
    assert whole.kernel_interval[0] < whole.kernel < whole.kernel_interval[1]
    both = [frechet_distance(x, fake.features) for fake in fakes]
    assert whole.frechet_over_seeds.mean == pytest.approx(np.mean(both))
    assert whole.frechet_over_seeds.deviation == pytest.approx(np.std(both, ddof=1))


def test_too_few_images_have_no_figures():
    few = rows(0, n=5)
    found = compare_features(Named, ("a", "b", "c"), few, few, [few]).classes
    assert found["a"].frechet is not None
    assert found["a"].kernel_interval is None is found["a"].coverage
    assert found["c"].n == 0
    assert found["c"].frechet is None is found["c"].frechet_over_seeds
