"""Values of flags: what is taken, and what is refused with the value in the message."""

from __future__ import annotations

import argparse

import pytest

from skin_synth.commands import flags


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [
        (flags.positive_int, "1", 1),
        (flags.positive_int, "150000", 150_000),
        (flags.seed_number, "0", 0),
        (flags.seed_number, str(2**63 - 1), 2**63 - 1),
        (flags.device_count, "all", "all"),
        (flags.device_count, "8", 8),
        (flags.mebibytes, "0", 0),
        (flags.mebibytes, "1.5", 3 * 2**19),
        (flags.positive_float, "0.5", 0.5),
        (flags.positive_float, "1e-3", 0.001),
        (flags.ratio_list, "0.25,1,4", (0.25, 1.0, 4.0)),
        (flags.balance_target, "max", "max"),
        (flags.balance_target, "20", 20),
        (flags.balance_target, "median", "median"),
        (flags.balance_target, "mel=5,a=b=7", {"mel": 5, "a=b": 7}),
    ],
)
def test_good_values(convert, text, value):
    assert convert(text) == value
    assert type(convert(text)) is type(value)


@pytest.mark.parametrize(
    ("convert", "texts"),
    [
        (flags.positive_int, ["", "0", "-1", "1.0", "1e3", "ten", "\u0663", "+1"]),
        (flags.seed_number, ["", "-1", "0x10", str(2**63), "1.5", "\u0661"]),
        (flags.device_count, ["", "0", "ALL", "two"]),
        (flags.mebibytes, ["", "-1", "nan", "inf", "1GB"]),
        (flags.positive_float, ["", "0", "-0.5", "nan", "inf", "one"]),
        (flags.balance_target, ["", "min", "Max", "0", "-5", "all"]),
        (flags.balance_target, ["=5", "mel=5,mel=6"]),
    ],
)
def test_bad_values_are_named(convert, texts):
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError) as refusal:
            convert(text)
        assert repr(text) in str(refusal.value)


def test_a_bad_ratio_is_named():
    with pytest.raises(argparse.ArgumentTypeError, match="got '0'"):
        flags.ratio_list("0.25,0")
