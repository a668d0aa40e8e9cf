"""What each arm draws, and how it is weighed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from skin_synth.evaluation.utility.arms import CONTROL, CONTROLS, MIXED, SYNTHETIC_ONLY, make_arms
from tfrecords_tools.errors import InputError

COUNTS = np.array([80, 15, 5])


def test_all_arms_in_order():
    arms = make_arms((0.25, 4.0))
    assert [arm.kind for arm in arms] == [CONTROL] * 3 + [MIXED] * 2 + [SYNTHETIC_ONLY]
    mixed = ["real + synthetic 1:0.25", "real + synthetic 1:4"]
    assert [arm.name for arm in arms[3:]] == [*mixed, "synthetic only"]
    assert len({arm.name for arm in arms}) == 6


def test_controls_draw_real_images_only():
    real, weighted, oversampled = CONTROLS
    for arm in (real, weighted):
        np.testing.assert_allclose(arm.cells(COUNTS), [[0.8, 0.15, 0.05], [0, 0, 0]])
        assert not arm.augmented
    np.testing.assert_allclose(oversampled.cells(COUNTS), [[1 / 3] * 3, [0, 0, 0]])
    assert oversampled.augmented
    for arm in (real, oversampled):
        np.testing.assert_array_equal(arm.loss_weights(COUNTS), 1)


def test_class_weights_make_classes_count_alike_and_keep_the_size_of_the_loss():
    weighted = CONTROLS[1]
    np.testing.assert_allclose(weighted.loss_weights(COUNTS) * weighted.cells(COUNTS)[0], 1 / 3)


@pytest.mark.parametrize(("ratio", "synthetic"), [(0.25, 0.2), (1.0, 0.5), (4.0, 0.8)])
def test_ratios_say_how_many_are_drawn_for_each_real_one(ratio, synthetic):
    cells = make_arms((ratio,))[3].cells(COUNTS)
    np.testing.assert_allclose(cells[1], synthetic / 3)
    np.testing.assert_allclose(cells[1] / cells[0], ratio)
    assert cells.sum() == pytest.approx(1)


def test_synthetic_only_draws_no_real_image():
    arm = make_arms((1.0,))[-1]
    np.testing.assert_allclose(arm.cells(COUNTS), [[0, 0, 0], [1 / 3] * 3])


def test_arms_with_synthetic_images_have_all_that_the_strongest_control_has():
    for arm in make_arms((1.0, 2.0))[3:]:
        changed = {"name": arm.name, "kind": arm.kind, "ratio": arm.ratio}
        assert arm == dataclasses.replace(CONTROLS[2], **changed)


@pytest.mark.parametrize("ratios", [(), (0.0, 1.0), (-1.0,), (math.inf,), (math.nan,)])
def test_other_ratios_are_refused(ratios):
    with pytest.raises(InputError, match="ratios must be numbers above 0"):
        make_arms(ratios)


def test_equal_ratios_are_refused():
    with pytest.raises(InputError, match=r"ratios must differ, got \(1.0, 1.0\)"):
        make_arms((1.0, 1.0))
