"""Numbers as people read them."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.report.formatting import figure, percent, probability, thousandth


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.12345, "0.123"), (-0.5, "-0.5"), (12844.8, "12,845"), (999, "999")],
)
def test_figures_have_three_digits(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.126, "13%"), (1.0, "100%")])
def test_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0123, "12.3"), (-0.5, "-500")])
def test_thousandths(value, text):
    assert thousandth(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "–"), (0.5, "0.500"), (0.0012, "0.001"), (3.4e-12, "3e-12")),
        *((2e-20, "1e-16 or less"), (0.0, "1e-16 or less")),
    ],
)
def test_probabilities(value, text):
    assert probability(value) == text
