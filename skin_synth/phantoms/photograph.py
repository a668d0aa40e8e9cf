"""One phantom photograph: skin, lesion, hair, lens - a pure function of seed, index and view."""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.phantoms.canvas import (
    BLOOD,
    MELANIN,
    Plane,
    axis,
    inside,
    length,
    plane,
    shrink,
    smooth_noise,
)
from skin_synth.phantoms.lesions import PAINTERS, Lesion
from tfrecords_tools.errors import InputError

MIN_SIZE = 16
PALEST = np.array([0.93, 0.80, 0.72], np.float32)
"""Reflectance of skin without melanin and blood."""
UNEVENNESS = 0.03
"""How far a lesion's parts are pushed about, in radii."""
TILT = 0.15
"""The lens is held square to the body, give or take so many radians; quarter turns are free."""
GRAIN = 0.012
"""Standard deviation of the sensor's noise; full scale is 1."""
LESION, PERSON, PAINT, VIEW = range(4)
"""What random numbers are for: keeps the streams of one lesion apart."""

Parameters = dict[str, int | float | str]


@dataclasses.dataclass(frozen=True)
class View:
    """How one photograph of a lesion was taken.

    Attributes:
        centre: of the lesion, x and y in [-1, 1].
        zoom: factor of its size.
        angle: by which the camera is turned, radians.
        light: exposure, 1 is neutral.
        slope: change of light across the image, x and y.
        vignette: radius of the lit field in half image sides; large where there is none.
        hairs: float[n, 5]: direction, offset, bend, half width, density.
    """

    centre: tuple[float, float]
    zoom: float
    angle: float
    light: float
    slope: tuple[float, float]
    vignette: float
    hairs: np.ndarray


def render(
    seed: int, index: int, label: str, size: int, *, view: int = 0
) -> tuple[np.ndarray, Parameters]:
    """Paints one phantom.

    Args:
        seed: of the whole collection.
        index: of the lesion.
        label: its class, one of `CLASS_NAMES`.
        size: height and width in pixels, 16 and above.
        view: which photograph of this lesion: another camera angle, light and hair.

    Returns:
        uint8[size, size, 3] and what it was painted from (`docs/phantoms.md` explains the names).

    Raises:
        InputError: unknown label, too small a size, a negative number.
    """
    _check(seed, index, label, size, view)
    lesion = _draw_lesion(np.random.default_rng([seed, index, LESION]))
    tone, flush = _draw_skin(np.random.default_rng([seed, index, PERSON]))
    rng = np.random.default_rng([seed, index, VIEW, view])
    taken = _draw_view(rng)
    factor = 3 if size <= 48 else 2
    side = size * factor
    where = plane(side, centre=taken.centre, radius=lesion.radius * taken.zoom, angle=taken.angle)
    paint = np.random.default_rng([seed, index, PAINT])
    painting = PAINTERS[label](_grown(where, lesion, paint), lesion, paint)
    image = painting.layers.over(_skin(rng, side, tone, flush))
    image = _hairs(image, taken.hairs) * _lens(side, taken)
    image = shrink(image, factor)
    image += np.float32(GRAIN) * rng.standard_normal(image.shape, np.float32)
    parameters: Parameters = {
        "view": view,
        "skin_melanin": round(tone, 4),
        "skin_blood": round(flush, 4),
        "centre_x": round(taken.centre[0], 4),
        "centre_y": round(taken.centre[1], 4),
        "radius": round(lesion.radius * taken.zoom, 4),
        "elongation": round(lesion.elongation, 4),
        "angle": round(taken.angle, 4),
        "melanin": round(lesion.melanin, 4),
        "blood": round(lesion.blood, 4),
        "softness": round(lesion.softness, 4),
        "elements": painting.elements,
        "irregularity": round(painting.irregularity, 4),
        "hairs": len(taken.hairs),
        "vignette": round(taken.vignette, 4),
    }
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), parameters


def _check(seed: int, index: int, label: str, size: int, view: int) -> None:
    if label not in PAINTERS:
        raise InputError(f"unknown phantom class {label!r}; the classes are {', '.join(PAINTERS)}")
    if size < MIN_SIZE:
        raise InputError(f"phantoms need a size of {MIN_SIZE} pixels or more, got {size}")
    for name, number in {"seed": seed, "index": index, "view": view}.items():
        if number < 0:
            raise InputError(f"{name} must be 0 or more, got {number}")


def _draw_lesion(rng: np.random.Generator) -> Lesion:
    return Lesion(
        radius=float(rng.uniform(0.55, 0.72)),
        elongation=float(rng.uniform(1.0, 1.2)),
        melanin=float(rng.uniform(0.85, 1.6)),
        blood=float(rng.uniform(0.0, 0.45)),
        softness=float(rng.uniform(0.09, 0.16)),
    )


def _draw_skin(rng: np.random.Generator) -> tuple[float, float]:
    """Melanin and blood of a person's skin: mostly pale, as in dermoscopy collections."""
    return float(rng.beta(1.2, 3.0) * 0.75), float(rng.uniform(0.06, 0.28))


def _draw_view(rng: np.random.Generator) -> View:
    hairs = 1 + rng.poisson(1.5) if rng.uniform() < 0.3 else 0
    return View(
        centre=(float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.12, 0.12))),
        zoom=float(rng.uniform(0.92, 1.08)),
        angle=float(np.pi / 2 * rng.integers(-2, 2) + rng.uniform(-TILT, TILT)),
        light=float(rng.uniform(0.93, 1.05)),
        slope=(float(rng.uniform(-0.06, 0.06)), float(rng.uniform(-0.06, 0.06))),
        vignette=float(rng.uniform(1.12, 1.3)) if rng.uniform() < 0.4 else 2.0,
        hairs=np.column_stack(
            [
                rng.uniform(0, np.pi, hairs),
                rng.uniform(-0.8, 0.8, hairs),
                rng.uniform(-0.35, 0.35, hairs),
                rng.uniform(0.012, 0.024, hairs),
                rng.uniform(0.9, 2.0, hairs),
            ]
        ),
    )


def _grown(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Plane:
    """Stretches a lesion and makes it grow unevenly, as living things do."""
    side = len(plane.x)
    x = plane.x + np.float32(UNEVENNESS) * smooth_noise(rng, side, 7)
    y = plane.y * np.float32(lesion.elongation)
    return Plane(x, y + np.float32(UNEVENNESS) * smooth_noise(rng, side, 7))


def _skin(rng: np.random.Generator, side: int, tone: float, flush: float) -> np.ndarray:
    """Mottled skin with fine pores: float32[side, side, 3], reflectance."""
    mottling, pores = smooth_noise(rng, side, 4), smooth_noise(rng, side, 24)
    melanin = tone * (1 + 0.06 * mottling) + 0.02 * pores
    blood = flush * (1 + 0.14 * smooth_noise(rng, side, 6)) + 0.015 * pores
    return PALEST * np.exp(-(melanin[..., None] * MELANIN + blood[..., None] * BLOOD))


def _hairs(image: np.ndarray, hairs: np.ndarray) -> np.ndarray:
    """Dark parabolas across the image, in front of the lesion."""
    line = axis(len(image))
    for direction, offset, bend, half_width, density in hairs.astype(np.float32):
        cos, sin = np.cos(direction), np.sin(direction)
        along = cos * line[None, :] + sin * line[:, None]
        beside = cos * line[:, None] - sin * line[None, :] - offset - bend * along * along
        steepness = np.sqrt(1 + (2 * bend * along) ** 2)
        hair = inside(np.abs(beside) / steepness - half_width, 0.015)
        image = image * np.exp(-density * hair[..., None] * MELANIN)
    return image


def _lens(side: int, view: View) -> np.ndarray:
    """Uneven light and the dark rim of the dermatoscope's field: float32[side, side, 1]."""
    x, y = axis(side)[None, :], axis(side)[:, None]
    light = view.light * (1 + view.slope[0] * x + view.slope[1] * y)
    field = inside(length(x, y) - np.float32(view.vignette), 0.12)
    return (light * (0.1 + 0.9 * field))[..., None].astype(np.float32)
