"""Realism and nearest rows against their definitions, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.manifold import nearest_rows, realism
from tfrecords_tools.errors import InputError

RNG = np.random.default_rng(3)
REAL, FAKE = RNG.standard_normal((40, 5)), RNG.standard_normal((9, 5)) * 1.5


def test_realism_is_equation_3():
    radius = np.array([np.sort(np.linalg.norm(REAL - one, axis=1))[3] for one in REAL])
    kept = radius <= np.median(radius)
    expected = [(radius[kept] / np.linalg.norm(REAL[kept] - one, axis=1)).max() for one in FAKE]
    np.testing.assert_allclose(realism(REAL, FAKE), expected, rtol=1e-9)
    assert realism(REAL, REAL).max() == np.inf


def test_nearest_rows_are_the_nearest_in_order():
    index, distance = nearest_rows(FAKE, REAL, 4)
    for row, one in enumerate(FAKE):
        far = np.linalg.norm(REAL - one, axis=1)
        np.testing.assert_array_equal(index[row], np.argsort(far)[:4])
        np.testing.assert_allclose(distance[row], np.sort(far)[:4], rtol=1e-9)


@pytest.mark.parametrize(
    ("real", "fake", "told"),
    [
        (REAL[:3], FAKE, "more than k real"),
        (REAL[:, :2], FAKE, "must be"),
        (REAL * np.nan, FAKE, "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(real, fake, told):
    with pytest.raises(InputError, match=told):
        realism(real, fake)
