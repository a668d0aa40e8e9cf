"""Options are checked once, and say what they received."""

from __future__ import annotations

import dataclasses

import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions


def test_defaults():
    options = BuildOptions(name="ham10000_v2")
    assert options.side is None
    assert dataclasses.replace(options, size=64).side == 64


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "ham-64-train", "name 'ham-64-train' does not fit"),
        ("name", "64ham", "a letter first"),
        ("name", "Ham", "small letters"),
        ("name", "", "''"),
        ("name", "ham\n", "does not fit"),
        ("size", 0, "got 0"),
        ("size", -3, "got -3"),
        ("size", 2.5, "got 2.5"),
        ("size", "big", "'original', got 'big'"),
        ("min_side", 0, "at least 1 pixel, got 0"),
        ("max_rejected", 1.5, "from 0 to 1, got 1.5"),
        ("max_rejected", float("nan"), "got nan"),
        ("workers", 0, "at least 1, got 0"),
    ],
)
def test_values_that_cannot_be(field, value, told):
    with pytest.raises(InputError, match=told):
        BuildOptions(**({"name": "x"} | {field: value}))
