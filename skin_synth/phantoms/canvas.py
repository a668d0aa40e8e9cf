"""Tools that draw phantoms: coordinates, smooth noise, soft edges, lines, optics.

All coordinates are in the square [-1, 1] x [-1, 1], so an image looks the same at any size.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

MELANIN_ABSORPTION = np.array([0.42, 0.80, 1.16], np.float32)
"""Relative absorption of red, green and blue by melanin, which is brown."""
BLOOD_ABSORPTION = np.array([0.22, 1.02, 0.80], np.float32)
"""The same for haemoglobin, which is red."""
WHITE_REFLECTANCE = np.array([0.93, 0.86, 0.80], np.float32)
"""Reflectance of scar and keratin: red, green and blue."""
VEIL_REFLECTANCE = np.array([0.42, 0.47, 0.60], np.float32)
"""Reflectance of a blue-white veil: melanin deep in the skin under thick keratin."""


@dataclasses.dataclass(frozen=True)
class Plane:
    """Pixel centres in lesion radii, 0 at the lesion's centre: float32[side, side]."""

    x: np.ndarray
    y: np.ndarray

    @functools.cached_property
    def r(self) -> np.ndarray:
        """Distance from the centre, float32[side, side]."""
        return length(self.x, self.y)

    @functools.cached_property
    def theta(self) -> np.ndarray:
        """Angle in radians, -pi to pi, float32[side, side]."""
        return np.arctan2(self.y, self.x)


@dataclasses.dataclass(frozen=True)
class Layers:
    """The materials of a lesion; each is float32[side, side] or a number.

    Attributes:
        melanin, blood: optical density, 0 and above.
        white: cover by scar or keratin, 0 to 1.
        veil: cover by blue-white veil, 0 to 1.
    """

    melanin: np.ndarray | float = 0.0
    blood: np.ndarray | float = 0.0
    white: np.ndarray | float = 0.0
    veil: np.ndarray | float = 0.0

    def over(self, skin: np.ndarray) -> np.ndarray:
        """Computes the reflectance of skin with the lesion, float32[side, side, 3].

        Pigments follow Beer-Lambert; veil and keratin are blended. `skin` is a reflectance.
        """
        melanin, blood = _channels(self.melanin), _channels(self.blood)
        image = skin * np.exp(-(melanin * MELANIN_ABSORPTION + blood * BLOOD_ABSORPTION))
        for cover, colour in ((self.veil, VEIL_REFLECTANCE), (self.white, WHITE_REFLECTANCE)):
            if np.ndim(cover):
                image = image + _channels(cover) * (colour - image)
        return image


def _channels(layer: np.ndarray | float) -> np.ndarray:
    return np.asarray(layer, np.float32)[..., None]


@functools.lru_cache(maxsize=8)
def axis(side: int) -> np.ndarray:
    """Returns pixel centres along one side: float32[side] in (-1, 1)."""
    return ((np.arange(side) + 0.5) * (2 / side) - 1).astype(np.float32)


def plane(side: int, *, centre: tuple[float, float], radius: float, angle: float) -> Plane:
    """Returns the pixel centres of a square image relative to a lesion.

    The lesion has a `centre` (x and y in [-1, 1]), a `radius` in half image sides, and a rotation
    by `angle` radians.
    """
    across = (axis(side)[None, :] - np.float32(centre[0])) / np.float32(radius)
    down = (axis(side)[:, None] - np.float32(centre[1])) / np.float32(radius)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return Plane(cos * across + sin * down, cos * down - sin * across)


def length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the Euclidean length, several times faster than `np.hypot`, which avoids overflow."""
    return np.sqrt(x * x + y * y)


def inside(distance: np.ndarray, softness: float) -> np.ndarray:
    """Returns 1 where `distance` is well below 0, 0 well above, and a ramp of 2 `softness`."""
    ramp = np.clip(0.5 - distance * np.float32(0.5 / softness), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def spots(plane: Plane, centres: np.ndarray, radii: np.ndarray, softness: float) -> np.ndarray:
    """Draws soft discs, float32[side, side] from 0 to 1; where they overlap, the strongest counts.

    `centres` is float[n, 2], x and y; `radii` is float[n]; for `softness` see `inside`.
    """
    nearest = np.full_like(plane.x, np.inf)
    for (x, y), radius in zip(centres.astype(np.float32), radii.astype(np.float32), strict=True):
        np.minimum(nearest, length(plane.x - x, plane.y - y) - radius, out=nearest)
    return inside(nearest, softness)


def strokes(plane: Plane, segments: np.ndarray, softness: float) -> np.ndarray:
    """Draws soft lines with round ends, float32[side, side] from 0 to 1.

    `segments` is float[n, 6]: x, y and half width of the start, then of the end; the half width
    changes linearly. For `softness` see `inside`.
    """
    nearest = np.full_like(plane.x, np.inf)
    for x0, y0, w0, x1, y1, w1 in segments.astype(np.float32):
        dx, dy = x1 - x0, y1 - y0
        x, y = plane.x - x0, plane.y - y0
        along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy), 0, 1)
        distance = length(x - along * dx, y - along * dy) - (w0 + along * (w1 - w0))
        np.minimum(nearest, distance, out=nearest)
    return inside(nearest, softness)


@functools.lru_cache(maxsize=64)
def _interpolation(side: int, cells: int) -> np.ndarray:
    """Returns cubic B-spline weights from `cells` knots to `side` pixels: float32[side, cells]."""
    position = (axis(side) + 1) / 2 * (cells - 3) + 1
    t = np.abs(position[:, None] - np.arange(cells)[None, :])
    near = 2 / 3 - t**2 + t**3 / 2
    far = np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far).astype(np.float32)


def smooth_noise(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Draws a smooth random surface with `cells` bumps across, the same at every size.

    It is float32[side, side], mean about 0, deviation about 1, made of (cells + 3) ** 2 random
    numbers.
    """
    knots = rng.standard_normal((cells + 3, cells + 3), np.float32)
    weights = _interpolation(side, cells + 3)
    return 2.1 * (weights @ knots @ weights.T)


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Averages blocks of `factor` x `factor` pixels: float32[s * factor, s * factor, c] to s."""
    side = image.shape[0] // factor
    return image.reshape(side, factor, side, factor, -1).mean(axis=(1, 3))
