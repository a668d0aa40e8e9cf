"""Pools draw from every part as often as its share, and phases cover all steps once."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.utility.recipes import (
    USE,
    Arm,
    Source,
    first_then,
    mixed,
    one_hot,
    pool_of,
    single,
)
from tfrecords_tools.errors import InputError

LABELS = {"own": np.array([0, 0, 0, 1]), "synthetic": np.array([0, 1, 2, 2])}


def source(labels):
    images = np.zeros((len(labels), 2, 2, 3), np.uint8)
    return Source("key", lambda: (images, one_hot(labels, 3)))


SOURCES = {name: source(labels) for name, labels in LABELS.items()}


@pytest.mark.parametrize(
    ("phase", "prior"),
    [
        (single("own")[0], [0.75, 0.25, 0]),
        (single("own", equal=True)[0], [0.5, 0.5, 0]),
        (single("synthetic", equal=True)[0], [1 / 3, 1 / 3, 1 / 3]),
        (mixed("own", "synthetic", 0.4)[0], [0.45 + 0.4 / 3, 0.15 + 0.4 / 3, 0.4 / 3]),
    ],
)
def test_a_pool_draws_classes_by_the_shares_of_its_parts(phase, prior):
    pool = pool_of(phase, SOURCES)
    np.testing.assert_allclose(pool.prior, prior)
    assert pool.shares.sum() == pytest.approx(1)
    # Images of one part and one class are drawn equally often.
    cells = pool.targets.argmax(axis=1) + 10 * (np.arange(len(pool.shares)) >= 4)
    for cell in np.unique(cells):
        assert np.ptp(pool.shares[cells == cell]) == 0


def test_a_teachers_targets_stay_as_they_are():
    soft = np.array([[0.6, 0.4], [0.1, 0.9]], np.float32)
    teacher = Source("soft", lambda: (np.zeros((2, 2, 2, 3), np.uint8), soft))
    np.testing.assert_array_equal(pool_of(single("t")[0], {"t": teacher}).targets, soft)


def test_a_source_without_images_is_refused():
    with pytest.raises(InputError, match="source 'own' has no images"):
        pool_of(single("own")[0], {"own": source(np.zeros(0, int))})


@pytest.mark.parametrize("total", [10, 11, 480])
def test_phases_cover_all_steps_once(total):
    arm = Arm("a", USE, first_then("synthetic", "own", 3 / 4))
    first, then = arm.steps(total)
    assert [*first, *then] == list(range(total))
    assert len(first) == round(0.75 * total)
    assert arm.sources == {"own", "synthetic"}
