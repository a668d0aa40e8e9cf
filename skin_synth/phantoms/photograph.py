"""One phantom photograph (skin, lesion, hair, lens): a pure function of seed, index and view."""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.phantoms.canvas import (
    BLOOD_ABSORPTION,
    MELANIN_ABSORPTION,
    Plane,
    axis,
    inside,
    length,
    plane,
    shrink,
    smooth_noise,
)
from skin_synth.phantoms.lesions import RENDERERS, Lesion
from tfrecords_tools.errors import InputError

SMALLEST_SIZE = 16
PALEST_SKIN = np.array([0.93, 0.80, 0.72], np.float32)
"""Reflectance of skin without melanin and blood."""
UNEVEN_GROWTH = 0.03
"""Displacement of a lesion's parts, in radii."""
LENS_TILT = 0.15
"""Largest rotation of the lens, radians, after a random number of quarter turns."""
SENSOR_NOISE = 0.012
"""Standard deviation of the sensor noise; full scale is 1."""
LESION_STREAM, PERSON_STREAM, RENDER_STREAM, VIEW_STREAM = range(4)
"""Purposes of random numbers of one lesion."""


@dataclasses.dataclass(frozen=True)
class View:
    """The camera of one photograph of a lesion.

    Attributes:
        centre: of the lesion, x and y in [-1, 1].
        zoom, angle: factor of the lesion's size, rotation in radians.
        light: exposure, 1 is neutral.
        slope: change of light across the image, x and y.
        vignette: radius of the lit field in half image sides; 2 is outside the image.
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
) -> tuple[np.ndarray, dict[str, float]]:
    """Renders one phantom.

    Args:
        seed: of the collection.
        index: of the lesion.
        label: one of `CLASS_NAMES`.
        size: height and width in pixels, at least 16.
        view: number of the photograph; each has another camera angle, light and hair.

    Returns:
        uint8[size, size, 3] and its parameters (`docs/phantoms.md` explains the names).

    Raises:
        InputError: unknown label, too small a size, a negative number.
    """
    _check(seed, index, label, size, view)
    lesion = _draw_lesion(np.random.default_rng([seed, index, LESION_STREAM]))
    melanin, blood = _draw_skin(np.random.default_rng([seed, index, PERSON_STREAM]))
    rng = np.random.default_rng([seed, index, VIEW_STREAM, view])
    camera = _draw_view(rng)
    factor = 3 if size <= 48 else 2
    side, radius = size * factor, lesion.radius * camera.zoom
    pixels = plane(side, centre=camera.centre, radius=radius, angle=camera.angle)
    render_rng = np.random.default_rng([seed, index, RENDER_STREAM])
    rendering = RENDERERS[label](_grown(pixels, lesion, render_rng), lesion, render_rng)
    image = rendering.layers.over(_skin(rng, side, melanin, blood))
    image = shrink(_hairs(image, camera.hairs) * _lens(side, camera), factor)
    image += np.float32(SENSOR_NOISE) * rng.standard_normal(image.shape, np.float32)
    parameters = {
        "view": view,
        "skin_melanin": melanin,
        "skin_blood": blood,
        "centre_x": camera.centre[0],
        "centre_y": camera.centre[1],
        "radius": radius,
        "elongation": lesion.elongation,
        "angle": camera.angle,
        "melanin": lesion.melanin,
        "blood": lesion.blood,
        "softness": lesion.softness,
        "elements": rendering.elements,
        "irregularity": rendering.irregularity,
        "hairs": len(camera.hairs),
        "vignette": camera.vignette,
    }
    rounded = {name: round(value, 4) for name, value in parameters.items()}
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), rounded


def _check(seed: int, index: int, label: str, size: int, view: int) -> None:
    if label not in RENDERERS:
        raise InputError(f"unknown phantom class {label!r}; the classes are {', '.join(RENDERERS)}")
    if size < SMALLEST_SIZE:
        raise InputError(f"phantoms need a size of {SMALLEST_SIZE} pixels or more, got {size}")
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
    """Draws melanin and blood of a person's skin: mostly pale, as in dermoscopy collections."""
    return float(rng.beta(1.2, 3.0) * 0.75), float(rng.uniform(0.06, 0.28))


def _draw_view(rng: np.random.Generator) -> View:
    hairs = 1 + rng.poisson(1.5) if rng.uniform() < 0.3 else 0
    # Direction, offset, bend, half width, density.
    ranges = [(0, np.pi), (-0.8, 0.8), (-0.35, 0.35), (0.012, 0.024), (0.9, 2.0)]
    return View(
        centre=(float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.12, 0.12))),
        zoom=float(rng.uniform(0.92, 1.08)),
        angle=float(np.pi / 2 * rng.integers(-2, 2) + rng.uniform(-LENS_TILT, LENS_TILT)),
        light=float(rng.uniform(0.93, 1.05)),
        slope=(float(rng.uniform(-0.06, 0.06)), float(rng.uniform(-0.06, 0.06))),
        vignette=float(rng.uniform(1.12, 1.3)) if rng.uniform() < 0.4 else 2.0,
        hairs=np.column_stack([rng.uniform(low, high, hairs) for low, high in ranges]),
    )


def _grown(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Plane:
    """Returns the plane of a lesion that is stretched and has grown unevenly."""
    side = len(plane.x)
    x = plane.x + np.float32(UNEVEN_GROWTH) * smooth_noise(rng, side, 7)
    y = plane.y * np.float32(lesion.elongation)
    return Plane(x, y + np.float32(UNEVEN_GROWTH) * smooth_noise(rng, side, 7))


def _skin(rng: np.random.Generator, side: int, melanin: float, blood: float) -> np.ndarray:
    """Draws mottled skin with fine pores: float32[side, side, 3], reflectance."""
    mottling, pores = smooth_noise(rng, side, 4), smooth_noise(rng, side, 24)
    brown = melanin * (1 + 0.06 * mottling) + 0.02 * pores
    red = blood * (1 + 0.14 * smooth_noise(rng, side, 6)) + 0.015 * pores
    pigment = brown[..., None] * MELANIN_ABSORPTION + red[..., None] * BLOOD_ABSORPTION
    return PALEST_SKIN * np.exp(-pigment)


def _hairs(image: np.ndarray, hairs: np.ndarray) -> np.ndarray:
    """Draws dark parabolas across the image, in front of the lesion."""
    line = axis(len(image))
    for direction, offset, bend, half_width, density in hairs.astype(np.float32):
        cos, sin = np.cos(direction), np.sin(direction)
        along = cos * line[None, :] + sin * line[:, None]
        across = cos * line[:, None] - sin * line[None, :] - offset - bend * along * along
        steepness = np.sqrt(1 + (2 * bend * along) ** 2)
        hair = inside(np.abs(across) / steepness - half_width, 0.015)
        image = image * np.exp(-density * hair[..., None] * MELANIN_ABSORPTION)
    return image


def _lens(side: int, view: View) -> np.ndarray:
    """Returns uneven light and the dark rim of the dermatoscope: float32[side, side, 1]."""
    x, y = axis(side)[None, :], axis(side)[:, None]
    light = view.light * (1 + view.slope[0] * x + view.slope[1] * y)
    field = inside(length(x, y) - np.float32(view.vignette), 0.12)
    return (light * (0.1 + 0.9 * field))[..., None].astype(np.float32)
