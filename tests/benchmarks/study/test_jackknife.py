"""Distances over cells equal those of the library; intervals hold what they promise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.study.jackknife import GROUPS, Cells, Comparison, KernelDistances, Sample, deal
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance

pytestmark = pytest.mark.slow


def sample(rng, n, *, shift=0.0, classes=2, whole=None, lesions=None):
    labels = np.sort(rng.integers(0, classes, n))
    features = rng.standard_normal((n, 6)) + shift + labels[:, None] / 2
    if lesions is not None:
        # Images of one lesion share half of their variance.
        labels = labels[lesions]
        features = features / 2**0.5 + rng.standard_normal((n, 6))[lesions] / 2**0.5
    kept = np.ones(n, bool) if whole is None else np.arange(n) % whole > 0
    return Sample(features, labels, deal(labels, lesions), kept)


def test_distances_are_those_of_the_library_with_and_without_a_group():
    rng = np.random.default_rng(0)
    real, fake = sample(rng, 90), sample(rng, 120, shift=0.5, whole=4)
    distances = KernelDistances(Cells(real, 2), Cells(fake, 2))

    def expected(real_rows, fake_rows):
        return kernel_distance(
            real.features[real_rows].astype(np.float32), fake.features[fake_rows].astype(np.float32)
        )

    for removed in (None, 7):
        keep = np.ones(120, bool) if removed is None else fake.groups != removed
        found = distances(fake=removed)
        whole = expected(np.arange(90), keep & fake.whole)
        classes = [expected(real.labels == c, keep & (fake.labels == c)) for c in (0, 1)]
        np.testing.assert_allclose(found, [whole, np.mean(classes), *classes], rtol=1e-4)
    without = expected(real.groups != 3, fake.whole)
    np.testing.assert_allclose(distances(real=3)[0], without, rtol=1e-4)


def test_a_class_of_one_image_has_no_distance_and_stays_out_of_the_mean():
    rng = np.random.default_rng(1)
    labels = np.array([0] * 20 + [1])
    real = Sample(rng.standard_normal((21, 6)), labels, deal(labels), np.ones(21, bool))
    found = KernelDistances(Cells(real, 2), Cells(sample(rng, 40), 2))()
    assert np.isnan(found[3])
    assert found[1] == found[2]


def test_lesions_stay_together_and_each_class_is_spread_evenly():
    labels = np.repeat([0, 1, 2], [400, 90, 10])
    names = [f"lesion {i // 2}" for i in range(500)]
    groups = deal(labels, names)
    assert all(groups[2 * i] == groups[2 * i + 1] for i in range(250))
    sizes = np.bincount(groups[labels == 0], minlength=GROUPS)
    assert sizes.max() - sizes.min() <= 2
    assert len(set(groups[labels == 2])) == 5


LESIONS = np.repeat(np.arange(100), 2)


def of_one_class(*args, **options):
    made = sample(*args, **options)
    return dataclasses.replace(made, labels=0 * made.labels)


def comparison(rng, **shifts):
    """Sets of one class, each with its shift from the real set, and a floor."""
    shifts = {"floor": 0.0, **shifts}
    sets = {name: of_one_class(rng, 160, shift=shift) for name, shift in shifts.items()}
    return Comparison(of_one_class(rng, 200, lesions=LESIONS), sets, 1)


def ours(values):
    return values["ours"][0] - values["floor"][0]


def theirs(values):
    return values["theirs"][0] - values["floor"][0]


def true_distance(shift, rng):
    a, b = of_one_class(rng, 2000), of_one_class(rng, 2000, shift=shift)
    return KernelDistances(Cells(a, 1), Cells(b, 1))()[0]


@pytest.mark.parametrize("shift", [0.5, 0.0])
def test_intervals_cover_the_truth_about_as_often_as_they_promise(shift):
    """Also if ours is as good as real images, so that its distance is zero."""
    rng = np.random.default_rng(2)
    truth = {"ours": true_distance(shift, rng) if shift else 0.0, "theirs": true_distance(0.8, rng)}
    covered, excludes_one, ratio_covered = 0, 0, 0
    for _ in range(40):
        found = comparison(rng, ours=shift, theirs=0.8)
        interval, ratio = found.interval(ours), found.ratio(ours, theirs)
        covered += interval.low <= truth["ours"] <= interval.high
        ratio_covered += ratio.low <= truth["ours"] / truth["theirs"] <= ratio.high
        excludes_one += ratio.high < 1
    # 38 of 40 are promised; below 33 has a chance of about 1 in 200.
    assert min(covered, ratio_covered, excludes_one) >= 33


def test_the_ends_of_a_ratio_are_where_the_difference_may_just_be_zero():
    rng = np.random.default_rng(3)
    found = comparison(rng, ours=0.5, theirs=0.8)
    ratio = found.ratio(ours, theirs)
    assert ratio.low < ratio.value < ratio.high
    assert ratio.value == ours(found.values) / theirs(found.values)
    for end in ratio.low, ratio.high:
        rest = found.interval(lambda values, end=end: ours(values) - end * theirs(values))
        nearest = min(abs(rest.low), abs(rest.high))
        assert nearest < 1e-9 * (rest.high - rest.low)


def test_a_ratio_excludes_one_where_the_difference_excludes_zero():
    rng = np.random.default_rng(4)
    seen = set()
    for shift in 0.55, 0.65, 0.75, 0.85:
        found = comparison(rng, ours=shift, theirs=0.8)
        difference = found.interval(lambda values: ours(values) - theirs(values))
        ratio = found.ratio(ours, theirs)
        assert (difference.high < 0) == (ratio.high < 1)
        seen.add(ratio.high < 1)
    assert seen == {True, False}


def test_a_ratio_to_what_may_be_zero_has_no_ends():
    rng = np.random.default_rng(5)
    found = comparison(rng, ours=0.5, theirs=0.0)
    ratio = found.ratio(ours, theirs)
    assert np.isnan([ratio.low, ratio.high]).all()
    backwards = found.ratio(ours, lambda values: -values["ours"][0])
    assert np.isnan(backwards).all()
