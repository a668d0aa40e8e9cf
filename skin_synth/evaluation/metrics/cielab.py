"""Converts sRGB to CIE L*a*b*, the colour space for measures of skin."""

from __future__ import annotations

import numpy as np

D65_WHITE = np.array([0.95047, 1.0, 1.08883])
"""XYZ of CIE illuminant D65, 2 degree observer (ASTM E308), Y = 1."""
SRGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""Linear sRGB to XYZ under D65; the sums of its rows are `D65_WHITE`."""
LAB_EPSILON, LAB_KAPPA = 216 / 24389, 24389 / 27
"""End of the cube root, and the slope below it; exact values of CIE 15:2004."""


_LEVELS = np.arange(256) / 255
LINEAR_LIGHT = np.where(
    _LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4
).astype(np.float32)
"""Linear light of each grey level, 0 to 1: the inverse of sRGB's transfer curve (IEC 61966-2-1)."""


def srgb_to_lab(images: np.ndarray) -> np.ndarray:
    """Converts sRGB pixels to CIE 1976 L*a*b* under D65.

    Args:
        images: uint8[..., 3].

    Returns:
        float32[..., 3]: L* from 0 (black) to 100 (white); a* from green to red and b* from blue
        to yellow, 0 for greys.
    """
    xyz = LINEAR_LIGHT[images] @ (SRGB_TO_XYZ / D65_WHITE[:, None]).T.astype(np.float32)
    root = np.where(xyz > LAB_EPSILON, np.cbrt(xyz), (LAB_KAPPA * xyz + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def typology_angle(lightness: np.ndarray, yellowness: np.ndarray) -> np.ndarray:
    """Computes the individual typology angle, the lightness of skin as an angle.

    ITA = arctan((L* - 50) / b*) in degrees (Chardon, Cretois & Hourseau, Int. J. Cosmetic Science
    13:191, 1991). The angle is taken over all four quadrants. So it is also defined, and beyond
    +-90, if b* is 0 or below, for example under blue light. `appearance.TONES` names its ranges.

    Args:
        lightness: L*, float[...].
        yellowness: b*, float[...].
    """
    return np.degrees(np.arctan2(np.asarray(lightness) - 50.0, yellowness))
