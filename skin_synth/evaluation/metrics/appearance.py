"""Appearance: skin tone, brightness, size and colour of lesions, one number for each image.

The measures are simple, so that each can be checked by eye; none is a diagnosis.
`docs/evaluation.md` describes their limits.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.evaluation.metrics.cielab import srgb_to_lab, typology_angle
from tfrecords_tools.errors import InputError

SKIN_RING = (0.75, 1.0)
"""Ring in which the skin around a lesion is measured: radii in half image sides."""
BLACK_LIGHTNESS = 20.0
"""Largest L* of the dark surround of a dermoscope image."""
SKIN_SHADE = 10.0
"""Skin may be darker than the brighter quarter of the ring by at most this L*. Hair, ink and the
edge of a vignette are darker."""
LEAST_SKIN_SHARE = 0.1
"""Least share of the ring that must be skin."""
LEAST_CONTRAST = 8.0
"""Least distance in L*a*b* between the means of lesion and skin."""
OTSU_BINS = 128
"""Bins of the histogram for Otsu's threshold."""
LAB_BLOCK = 2**20
"""Pixels whose colours are converted at a time."""

TONES = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -np.inf),
)
"""Skin tones with their lower limits, in degrees (Chardon et al. 1991)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Appearance:
    """Measures of each image: float64[n] each, NaN if they cannot be taken.

    Attributes:
        skin_tone: individual typology angle of the skin around the lesion, degrees; dark is low.
        brightness: mean L* of the visible field (see `picture`).
        lesion_size: share of the visible field that is lesion.
        lesion_lightness: median L* of the lesion.
        lesion_redness: median a* of the lesion.
        lesion_yellowness: median b* of the lesion.
    """

    skin_tone: np.ndarray
    brightness: np.ndarray
    lesion_size: np.ndarray
    lesion_lightness: np.ndarray
    lesion_redness: np.ndarray
    lesion_yellowness: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Appearance:
        """Returns the measures of some images."""
        return Appearance(*(values[rows] for values in vars(self).values()))


MEASURES = tuple(field.name for field in dataclasses.fields(Appearance))
SMALLEST_SPREAD = {name: 0.01 if name == "lesion_size" else 1.0 for name in MEASURES}
"""Standard deviation of each measure (a share, degrees, L*a*b* units) that nobody can see. Without
this limit, rounding would look like drift in images without deviation, such as grey ones."""


def measure(images: np.ndarray) -> Appearance:
    """Measures each image of uint8[n, side, side, 3], sRGB.

    Raises:
        InputError: another shape or dtype.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise InputError(
            f"images must be uint8[n, side, side, 3], got {images.dtype}{list(images.shape)}"
        )
    rows = [np.empty((0, len(MEASURES)))]
    step = max(1, LAB_BLOCK // max(images.shape[1] * images.shape[2], 1))
    for start in range(0, len(images), step):
        block = srgb_to_lab(images[start : start + step])
        rows.append(np.array([_measures(lab) for lab in block]))
    return Appearance(*np.concatenate(rows).T)


def picture(lab: np.ndarray) -> np.ndarray:
    """Finds the visible field: the inscribed circle without black pixels in the outer ring.

    A black lesion in the middle is part of the field, so the field is never empty.

    Args:
        lab: float[side, side, 3], L*a*b*; the result is bool[side, side].
    """
    radius = _radius(lab.shape[0], lab.shape[1])
    return (radius <= SKIN_RING[1]) & ((radius < SKIN_RING[0]) | (lab[..., 0] > BLACK_LIGHTNESS))


def skin_colour(lab: np.ndarray) -> np.ndarray:
    """Measures the colour of the skin around a lesion: the median over the bright part of a ring.

    The ring is inside the inscribed circle, so that it avoids the corners of a round vignette.
    Black pixels are left out, then those more than `SKIN_SHADE` darker than the brighter quarter of
    the ring: hairs, ink, the edge of a vignette, and a lesion that reaches the ring.

    Args:
        lab: float[side, side, 3], L*a*b*.

    Returns:
        float[3]; NaN if less than a tenth of the ring is left.
    """
    radius = _radius(lab.shape[0], lab.shape[1])
    ring = lab[(radius >= SKIN_RING[0]) & (radius <= SKIN_RING[1])]
    lit = ring[ring[:, 0] > BLACK_LIGHTNESS]
    if len(lit):
        lit = lit[lit[:, 0] >= np.percentile(lit[:, 0], 75) - SKIN_SHADE]
    if not len(lit) or len(lit) < LEAST_SKIN_SHARE * len(ring):
        return np.full(3, np.nan, lab.dtype)
    return np.median(lit, axis=0)


def lesion_mask(lab: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Finds the lesion: a threshold on the colour distance to the skin, and a majority vote.

    The threshold is Otsu's (IEEE Trans. SMC 9:62, 1979) on the Euclidean distance in L*a*b* to the
    skin, over `picture`. Each pixel then takes the value of most of its 3x3 neighbours, which
    removes hairs of one pixel.

    Args:
        lab: float[side, side, 3], L*a*b*.
        skin: float[3], see `skin_colour`.

    Returns:
        bool[side, side]; all False if there is no lesion.
    """
    inside = picture(lab)
    distance = np.linalg.norm(lab - skin, axis=-1)
    above = inside & (distance > otsu_threshold(distance[inside]))
    if not above.any() or above.sum() == inside.sum():
        return np.zeros(inside.shape, bool)
    if distance[above].mean() - distance[inside & ~above].mean() < LEAST_CONTRAST:
        return np.zeros(inside.shape, bool)
    return inside & _majority(above)


def otsu_threshold(values: np.ndarray) -> float:
    """Splits float[n], n above 0, into two classes of the largest variance between them.

    Returns:
        A threshold; values above it are the upper class.
    """
    counts, edges = np.histogram(values, bins=OTSU_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = len(values) - below
    sums = np.cumsum(counts * centres)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * gap**2
    # Between two peaks the variance is flat; the middle of this range is taken.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[1:-1][best].mean())


def tone_shares(skin_tone: np.ndarray) -> dict[str, float | None]:
    """Computes the share of each skin tone, light ones first; None if no image was measured.

    Args:
        skin_tone: float[n], degrees; NaN: not measured.
    """
    angles = skin_tone[np.isfinite(skin_tone)]
    upper = np.inf
    shares: dict[str, float | None] = {}
    for name, lower in TONES:
        inside = (angles > lower) & (angles <= upper)
        shares[name] = float(inside.mean()) if len(angles) else None
        upper = lower
    return shares


def _measures(lab: np.ndarray) -> list[float]:
    shown = picture(lab)
    brightness = float(lab[..., 0][shown].mean())
    skin = skin_colour(lab)
    if not np.isfinite(skin).all():
        return [np.nan, brightness, *[np.nan] * 4]
    tone = float(typology_angle(skin[0], skin[2]))
    mask = lesion_mask(lab, skin)
    if not mask.any():
        return [tone, brightness, *[np.nan] * 4]
    colour = np.median(lab[mask], axis=0)
    return [tone, brightness, float(mask.sum() / shown.sum()), *(float(c) for c in colour)]


def _radius(height: int, width: int) -> np.ndarray:
    """Distance of each pixel to the centre, in half sides: float[height, width]."""
    y, x = ((2 * np.arange(n) + 1) / n - 1 for n in (height, width))
    return np.hypot(y[:, None], x[None, :])


def _majority(mask: np.ndarray) -> np.ndarray:
    """Gives each pixel the most frequent value of its 3x3 neighbourhood, including itself."""
    padded = np.pad(mask, 1).astype(np.int8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5
