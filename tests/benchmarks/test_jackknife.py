"""Distances over cells equal those of the library; intervals hold what they promise."""

from __future__ import annotations

import numpy as np

from benchmarks.jackknife import (
    GROUPS,
    Cells,
    Comparison,
    KernelDistances,
    Sample,
    deal,
)
from skin_synth.evaluation.fidelity import kernel_distance


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
        classes = [
            expected(real.labels == label, keep & (fake.labels == label)) for label in (0, 1)
        ]
        np.testing.assert_allclose(found, [whole, np.mean(classes), *classes], rtol=1e-4)
    keep = real.groups != 3
    np.testing.assert_allclose(
        distances(real=3)[0], expected(keep, np.flatnonzero(fake.whole)), rtol=1e-4
    )


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


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    def truth(shift, rng):
        a, b = sample(rng, 2000), sample(rng, 2000, shift=shift)
        whole = np.ones(2000, bool)
        rows = [Sample(s.features, 0 * s.labels, s.groups, whole) for s in (a, b)]
        return KernelDistances(*(Cells(row, 1) for row in rows))()[0]

    rng = np.random.default_rng(2)
    expected = np.log(truth(0.5, rng) / truth(0.8, rng))

    def figure(values):
        ours, theirs = (values[name][0] - values["floor"][0] for name in ("ours", "theirs"))
        return np.log(ours / theirs) if min(ours, theirs) > 0 else np.nan

    covered, excludes_no_difference = 0, 0
    lesions = np.repeat(np.arange(100), 2)
    for _ in range(40):
        real = sample(rng, 200, lesions=lesions)
        fakes = {
            "ours": sample(rng, 160, shift=0.5),
            "theirs": sample(rng, 160, shift=0.8),
            "floor": sample(rng, 160),
        }
        one = {
            name: Sample(s.features, 0 * s.labels, s.groups, s.whole) for name, s in fakes.items()
        }
        real = Sample(real.features, 0 * real.labels, real.groups, real.whole)
        interval = Comparison(real, one, 1).interval(figure)
        covered += interval.low <= expected <= interval.high
        excludes_no_difference += interval.high < 0
    # 38 of 40 are promised; below 33 has a chance of about 1 in 200.
    assert covered >= 33
    assert excludes_no_difference >= 33
