"""Numbers as people read them."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.report.formatting import figure, percent, probability, signed, thousandth


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        *((write, None, "–") for write in (figure, percent, thousandth, probability)),
        *((figure, 0, "0"), (figure, 0.12345, "0.123"), (figure, -0.5, "-0.5")),
        *((figure, 12844.8, "12,845"), (figure, 999, "999")),
        *((percent, 0.126, "13%"), (percent, 1.0, "100%")),
        *((thousandth, 0.0123, "12.3"), (thousandth, -0.5, "-500")),
        *((probability, 0.5, "0.500"), (probability, 0.0012, "0.001")),
        *((probability, p, text) for p, text in [(3.4e-12, "3e-12"), (0.0, "1e-16 or less")]),
        (probability, 2e-20, "1e-16 or less"),
    ],
)
def test_numbers_are_short(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(999.4, "999"), (999.7, "1,000"), (1000.2, "1,000"), (-999.9, "-1,000"), (-0.0, "0")],
)
def test_no_figure_changes_its_form_at_a_thousand(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0004, "+0.000"), (0.0004, "+0.000"), (-0.02, "-0.020")]
)
def test_zero_has_no_minus(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(-0.004, "0%"), (-0.006, "-1%")])
def test_a_share_of_zero_has_no_minus(value, text):
    assert percent(value) == text
