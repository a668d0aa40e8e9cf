"""The target number of images of a class, and the number of missing ones."""

from __future__ import annotations

import pytest

from skin_synth.synthesis.options import BalanceOptions
from skin_synth.synthesis.targets import goals, missing
from tfrecords_tools.errors import InputError

COUNTS = {"nv": 100, "mel": 20, "bcc": 10, "df": 3}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("max", {"nv": 100, "mel": 100, "bcc": 100, "df": 100}),
        ("median", {"nv": 100, "mel": 20, "bcc": 10, "df": 10}),
        (15, {"nv": 100, "mel": 20, "bcc": 15, "df": 15}),
        ({"df": 50, "nv": 5}, {"nv": 100, "mel": 20, "bcc": 10, "df": 50}),
    ],
)
def test_goals_are_never_below_what_is_there(target, expected):
    assert goals(target, COUNTS) == expected


def test_the_ratio_bounds_synthetic_images_by_real_ones():
    assert missing("max", COUNTS, 2.5) == {"nv": 0, "mel": 50, "bcc": 25, "df": 7}
    assert missing(12, COUNTS, 2.5) == {"nv": 0, "mel": 0, "bcc": 2, "df": 7}
    assert missing(12, COUNTS) == {"nv": 0, "mel": 0, "bcc": 2, "df": 9}


@pytest.mark.parametrize(("ratio", "expected"), [(0.29, 29), (1.15, 115), (0.57, 57), (2, 200)])
def test_the_ratio_counts_exactly(ratio, expected):
    assert missing({"df": 900}, {"df": 100}, ratio) == {"df": expected}


def test_an_unknown_class_is_named():
    with pytest.raises(InputError, match="names class 'wart'; there are nv, mel, bcc, df"):
        goals({"wart": 3}, COUNTS)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "target",
            [0, -1, 2.5, True, "min", None, {"df": 0}, {"df": "x"}],
            "target must be .* got",
        ),
        ("ratio", [0, -1.0, float("inf"), float("nan")], "ratio must be .* got"),
        ("filters", ["none"], "filters must be one of all, copies, got 'none'"),
        ("seed", [-1, 2**63 - 1], "leaves room"),
    ],
)
def test_other_options_are_refused(name, values, message):
    for value in values:
        with pytest.raises(InputError, match=message):
            BalanceOptions(**{name: value})
