"""Foreign text on a terminal: one line, nothing that steers it."""

from __future__ import annotations

import pytest

from tfrecords_tools.text import escaped, exact_number


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("melanoma, 100 % – Nävus «x» 母斑 😀", "melanoma, 100 % – Nävus «x» 母斑 😀"),
        ("a\x1b]0;title\x07b", r"a\x1b]0;title\x07b"),
        ("1\nother.png: synthetic", r"1\x0aother.png: synthetic"),
        ("a\r\tb\x7f\x85\x9b", r"a\x0d\x09b\x7f\x85\x9b"),
        ("x\u2028y\u2029", r"x\u2028y\u2029"),
        ("\u202egnp.exe\u2066 \ufeff\u200b", r"\u202egnp.exe\u2066 \ufeff\u200b"),
        ("caf\udce9 \ud800", r"caf\xe9 \ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_text_is_shown_on_one_harmless_line(text, shown):
    assert escaped(text) == shown
    assert len(escaped(text).splitlines()) == 1
    escaped(text).encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (2e-4, "0.0002"), (0.00012345678, "0.00012345678"), (1234567, "1234567.0")],
)
def test_a_number_reads_back_equal(value, text):
    assert exact_number(value) == text
    assert float(text) == value


def test_a_number_that_is_none_is_written_too():
    assert exact_number(float("nan")) == "nan"
    assert exact_number(float("-inf")) == "-inf"
