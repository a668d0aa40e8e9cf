"""The seven classes: each is a function from a plane and random numbers to layers of pigment.

The classes differ in form, clearly enough for 32 pixels. Melanin and blood are drawn
from the same ranges for all classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from skin_synth.phantoms.canvas import Layers, Plane, inside, smooth_noise, spots, strokes

PLAQUE_PLUGS = ((-0.5, 0.0), (0.5, 0.0))
PLAQUE_DOTS = ((0.0, 0.0), (-0.42, -0.42), (0.42, -0.42), (-0.42, 0.42), (0.42, 0.42))
"""Centres of a plaque's plugs and white dots, in radii."""
STAR_STREAKS = 4


@dataclasses.dataclass(frozen=True)
class Lesion:
    """The properties that all classes share.

    Attributes:
        radius: in half image sides.
        elongation: long axis over short axis, 1 and above.
        melanin, blood: optical densities.
        softness: width of its border, in radii.
    """

    radius: float
    elongation: float
    melanin: float
    blood: float
    softness: float


@dataclasses.dataclass(frozen=True)
class Rendering:
    """A drawn lesion.

    Attributes:
        elements: number of its streaks, dots, vessels or lobes.
        irregularity: standard deviation of its border around a circle, in radii.
    """

    layers: Layers
    elements: int
    irregularity: float = 0.0


Renderer = Callable[[Plane, Lesion, np.random.Generator], Rendering]


def disc(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """Round or oval and symmetric: a smooth even border, one colour, a faint regular network."""
    body = inside(plane.r - 0.95, lesion.softness)
    pitch, turn = rng.uniform(10, 13), rng.uniform(0, np.pi)
    network = _network(plane, pitch, turn)
    shade = 1.1 - 0.25 * plane.r + 0.22 * network
    layers = Layers(melanin=lesion.melanin * body * shade, blood=lesion.blood * body)
    return Rendering(layers, elements=0)


def blotch(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """Jagged map-like border, dark blots in one half, blue-white veil: asymmetric, many colours."""
    border = _fourier_border(plane.theta, rng)
    distance = plane.r - 0.92 * border
    body = inside(distance, 0.6 * lesion.softness)
    lean = 1.0 + 0.65 * plane.x
    clouds = smooth_noise(rng, len(plane.x), 6)
    centres = np.stack([rng.uniform(0.1, 0.65, 4), rng.uniform(-0.6, 0.6, 4)], axis=1)
    blots = spots(plane, centres, rng.uniform(0.12, 0.26, 4), 0.1)
    middle = np.array([[rng.uniform(-0.5, -0.25), rng.uniform(-0.3, 0.3)]])
    veil = spots(plane, middle, rng.uniform(0.26, 0.36, 1), 0.16)
    melanin = np.clip(lean + 0.18 * clouds, 0.25, None) + 0.9 * blots
    return Rendering(
        Layers(
            melanin=lesion.melanin * body * melanin,
            blood=lesion.blood * body,
            veil=0.75 * body * veil,
        ),
        elements=len(centres),
        irregularity=float(np.std(border)),
    )


def plaque(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """Angular, with a sharp border, white milia-like dots and dark plugs."""
    x, y = np.abs(plane.x) + 1e-3, np.abs(plane.y) + 1e-3
    square = (x**3.4 + y**3.4) ** np.float32(1 / 3.4)
    ripple = 0.035 * np.cos(int(rng.integers(8, 12)) * plane.theta + rng.uniform(0, 6))
    body = inside(square - 0.86 + ripple, 0.3 * lesion.softness)
    lattice = np.array([*PLAQUE_PLUGS, *PLAQUE_DOTS])
    places = lattice + rng.uniform(-0.06, 0.06, lattice.shape)
    radii = rng.uniform(0.16, 0.2, len(places))
    white = spots(plane, places[2:], radii[2:], 0.04)
    plugs = spots(plane, places[:2], 0.85 * radii[:2], 0.04)
    shade = 0.85 + 0.1 * smooth_noise(rng, len(plane.x), 10) + 0.9 * plugs
    return Rendering(
        Layers(
            melanin=lesion.melanin * body * np.clip(shade, 0.3, None),
            blood=lesion.blood * body,
            white=0.85 * body * white,
        ),
        elements=len(places) - 2,
        irregularity=0.09,
    )


def ring(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """A dark ring that fades outwards around a white, scar-like centre."""
    middle, width = rng.uniform(0.68, 0.76), rng.uniform(0.17, 0.22)
    off_centre = plane.r + rng.uniform(0, 0.06) * np.cos(plane.theta + rng.uniform(0, 6))
    band = np.exp(-(((off_centre - middle) / width) ** 2))
    network = _network(plane, rng.uniform(9, 12), rng.uniform(0, np.pi))
    scar = inside(off_centre - rng.uniform(0.34, 0.42), 0.16)
    return Rendering(
        Layers(
            melanin=lesion.melanin * 1.35 * band * (1 + 0.25 * network),
            blood=lesion.blood * inside(plane.r - 0.95, 0.2),
            white=0.75 * scar,
        ),
        elements=1,
    )


def star(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """A dark core from which even streaks burst in four directions, each with a bulb at its end."""
    number = np.arange(STAR_STREAKS) + rng.uniform(-0.12, 0.12, STAR_STREAKS)
    angles = 2 * np.pi * number / STAR_STREAKS
    ends = rng.uniform(1.0, 1.2, STAR_STREAKS)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    width = np.full((STAR_STREAKS, 1), 0.26)
    segments = np.concatenate([0.3 * rays, width, ends[:, None] * rays, 0.38 * width], axis=1)
    streaks = strokes(plane, segments, 0.06)
    bulbs = spots(plane, ends[:, None] * rays, rng.uniform(0.06, 0.085, STAR_STREAKS), 0.06)
    core = inside(plane.r - 0.4, 0.12)
    pigment = np.maximum(core, np.maximum(streaks, bulbs))
    haze = 0.25 * inside(plane.r - 0.9, 0.35)
    return Rendering(
        Layers(
            melanin=lesion.melanin * (1.25 * pigment + haze),
            blood=lesion.blood * np.maximum(pigment, haze),
        ),
        elements=STAR_STREAKS,
        irregularity=0.2,
    )


def cluster(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """Separate round lacunae with sharp borders, red to purple-brown, on faint pink."""
    places = _scatter(rng, int(rng.integers(6, 10)), reach=0.78, apart=0.52)
    radii = rng.uniform(0.2, 0.27, len(places))
    lacunae = spots(plane, places, radii, 0.06)
    ground = inside(plane.r - 0.95, 0.25)
    return Rendering(
        Layers(
            melanin=lesion.melanin * (0.4 * lacunae + 0.1 * ground),
            blood=(1.1 + lesion.blood) * lacunae + 0.35 * ground,
        ),
        elements=len(places),
        irregularity=0.15,
    )


def tree(plane: Plane, lesion: Lesion, rng: np.random.Generator) -> Rendering:
    """A pale, pearly patch with thick vessels that branch like a tree, and blue-grey nests."""
    segments = _branches(rng)
    vessels = strokes(plane, segments, 0.035)
    body = inside(plane.r - 0.95, 1.6 * lesion.softness)
    rim = np.exp(-(((plane.r - 0.82) / 0.2) ** 2))
    side = rng.choice([-1.0, 1.0])
    nests = np.array([[rng.uniform(-0.5, 0.5), side * rng.uniform(0.45, 0.6)]])
    nest = spots(plane, nests, rng.uniform(0.14, 0.2, 1), 0.06)
    return Rendering(
        Layers(
            melanin=lesion.melanin * (0.08 * body + 0.2 * rim + 0.55 * vessels),
            blood=(0.8 + lesion.blood) * vessels + (0.08 + 0.5 * lesion.blood) * body,
            white=0.3 * body * (1 - vessels),
            veil=0.8 * nest * (1 - vessels),
        ),
        elements=len(segments),
    )


RENDERERS: dict[str, Renderer] = {
    renderer.__name__: renderer for renderer in (disc, blotch, plaque, ring, star, cluster, tree)
}
CLASS_NAMES = tuple(RENDERERS)
"""`docs/phantoms.md` describes the classes."""


def _network(plane: Plane, pitch: float, turn: float) -> np.ndarray:
    """Returns a honeycomb of lines, -1 to 1 (pseudo-network): three waves at 60 degrees."""
    angles = turn + np.arange(3) * np.pi / 3
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    waves = [np.cos(np.float32(pitch) * (plane.x * x + plane.y * y)) for x, y in directions]
    return -np.float32(2 / 3) * (waves[0] + waves[1] + waves[2])


def _fourier_border(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the radius of an irregular outline at each angle, mean about 1."""
    orders = np.arange(2, 7)
    sizes = rng.rayleigh(0.24 / np.sqrt(orders * len(orders)) * 1.6)
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    border = np.ones_like(theta)
    for order, size, phase in zip(orders, sizes, phases, strict=True):
        border += np.float32(size) * np.cos(np.float32(order) * theta + np.float32(phase))
    return np.clip(border, 0.45, 1.35)


def _scatter(rng: np.random.Generator, number: int, *, reach: float, apart: float) -> np.ndarray:
    """Draws up to `number` points in a disc, at least `apart` from each other: float64[n, 2]."""
    candidates = rng.uniform(-reach, reach, (400, 2))
    points = candidates[np.hypot(*candidates.T) <= reach]
    free = np.ones(len(points), bool)
    chosen: list[np.ndarray] = []
    while free.any() and len(chosen) < number:
        chosen.append(points[np.argmax(free)])
        free &= np.hypot(*(points - chosen[-1]).T) >= apart
    return np.array(chosen)


def _branches(rng: np.random.Generator) -> np.ndarray:
    """Draws a trunk from the border inwards that forks twice: float64[n, 6] for `strokes`."""
    tips = [(-0.9, rng.uniform(-0.15, 0.15), 0.0, 0.095)]
    segments = []
    for length, spread, thin in ((0.62, 0.0, 0.085), (0.62, 0.6, 0.068), (0.5, 0.5, 0.05)):
        grown = []
        for x, y, heading, width in tips:
            for side in (-1, 1) if spread else (0,):
                towards = heading + side * spread * rng.uniform(0.8, 1.25) + rng.normal(0, 0.06)
                far = length * rng.uniform(0.85, 1.15)
                tip = (x + far * np.cos(towards), y + far * np.sin(towards), towards, thin)
                segments.append((x, y, width, tip[0], tip[1], thin))
                grown.append(tip)
        tips = grown
    return np.array(segments)
