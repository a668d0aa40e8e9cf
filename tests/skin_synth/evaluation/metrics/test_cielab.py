"""Colours against published values."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics.cielab import D65_WHITE, SRGB_TO_XYZ, srgb_to_lab, typology_angle


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        # Lindbloom's calculator, sRGB, D65, no adaptation.
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.2408, 80.0925, 67.2032)),
        ((0, 255, 0), (87.7347, -86.1827, 83.1793)),
        ((0, 0, 255), (32.2970, 79.1875, -107.8602)),
        ((128, 128, 128), (53.5850, 0.0, 0.0)),
    ],
)
def test_known_colours(colour, expected):
    found = srgb_to_lab(np.array([[colour]], np.uint8))
    assert found.shape == (1, 1, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0], expected, atol=2e-3)


def test_greys_have_no_colour_and_grow_lighter():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lab = srgb_to_lab(greys)
    assert np.abs(lab[:, 1:]).max() < 2e-2
    assert (np.diff(lab[:, 0]) > 0).all()


def test_a_slow_reference_agrees():
    """One pixel at a time, in float64, by the formulas of CIE 15:2004."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 3), dtype=np.uint8)

    def f(t):
        return t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29

    for pixel, found in zip(pixels, srgb_to_lab(pixels), strict=True):
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in pixel / 255.0
        ]
        x, y, z = (
            f(sum(m * c for m, c in zip(row, linear, strict=True)) / white)
            for row, white in zip(SRGB_TO_XYZ, D65_WHITE, strict=True)
        )
        np.testing.assert_allclose(found, [116 * y - 16, 500 * (x - y), 200 * (y - z)], atol=1e-3)


@pytest.mark.parametrize(
    ("lightness", "yellowness", "angle"),
    [(70, 20, 45.0), (50, 20, 0.0), (30, 20, -45.0), (60, 0, 90.0), (40, 0, -90.0)],
)
def test_typology_angle_by_hand(lightness, yellowness, angle):
    assert typology_angle(np.array(lightness), np.array(yellowness)) == pytest.approx(angle)
