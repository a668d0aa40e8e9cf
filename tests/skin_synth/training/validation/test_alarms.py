"""Alarms at known figures: on which side of the limit, what they name, when they begin."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from skin_synth.presets import Preset
from skin_synth.training.validation.alarms import (
    COLLAPSE_SHARE,
    RUNAWAY_EPOCHS,
    RUNAWAY_LOGITS,
    Alarm,
    begun,
    collapsed,
    mean_distance,
    runaway,
)


def test_mean_distance_of_a_right_triangle_and_of_one_image_repeated():
    corners = np.array([[0, 0], [3, 0], [0, 4]], np.float32)
    assert mean_distance(corners) == pytest.approx((3 + 4 + 5) / 3)
    assert mean_distance(np.full((16, 8), 7.3, np.float32)) == 0.0


def test_collapse_is_judged_class_by_class_against_its_own_real_images():
    real = {"nv": 10.0, "df": 2.0, "mel": 10.0}
    below, above = COLLAPSE_SHARE - 0.01, COLLAPSE_SHARE + 0.01
    found = collapsed({"nv": above * 10, "df": below * 2, "mel": 0.0}, real)
    assert [alarm.subject for alarm in found] == ["class df", "class mel"]
    assert collapsed({"a": 0.0, "b": 0.0}, {"b": 0.0}) == [], "without a real figure, or variety"


def test_the_lines_name_figures_and_remedy():
    [collapse] = collapsed({"df": 0.125}, {"df": 2.5})
    for word in ("class df", "0.125", "2.5", "5%", "augment_probability", "sampling_exponent"):
        assert word in collapse.line
    assert "\n" not in collapse.line
    [away] = runaway([9.25, 8.125, 9.0, 9.0, 9.0])
    for word in ("discriminator", "8.1", "5 epochs", "limit 3", "gamma", "augment_probability"):
        assert word in away.line


@pytest.mark.parametrize(
    ("gaps", "rings"),
    [
        ([RUNAWAY_LOGITS + 0.1] * RUNAWAY_EPOCHS, True),
        ([0.5] * 20 + [RUNAWAY_LOGITS + 0.1] * RUNAWAY_EPOCHS, True),
        ([RUNAWAY_LOGITS + 0.1] * (RUNAWAY_EPOCHS - 1), False),
        ([RUNAWAY_LOGITS] * RUNAWAY_EPOCHS, False),
        ([99.0] * 20 + [RUNAWAY_LOGITS - 0.1], False),
        ([-99.0] * RUNAWAY_EPOCHS, False),
        ([float("nan")] * RUNAWAY_EPOCHS, False),
        ([], False),
    ],
)
def test_runaway_needs_several_epochs_in_a_row_beyond_the_limit(gaps, rings):
    assert bool(runaway(gaps)) == rings


def test_remedies_are_fields_of_the_preset():
    fields = {field.name for field in dataclasses.fields(Preset)}
    lines = [alarm.line for alarm in (*collapsed({"a": 0.0}, {"a": 1.0}), *runaway([9.0] * 5))]
    named = set(re.findall(r"\b[a-z]+_[a-z_]+\b", " ".join(lines))) | {"gamma"}
    assert named <= fields


def test_what_goes_on_begins_once():
    old, new, gone = Alarm("class a", "now 3 %"), Alarm("class b", "1 %"), Alarm("class c", "2 %")
    before = [Alarm("class a", "was 4 %"), gone]
    assert begun(before, [old, new]) == [new]
    assert begun([], [old]) == [old]
    assert begun(before, []) == []
