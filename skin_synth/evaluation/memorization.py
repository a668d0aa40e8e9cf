"""Are synthetic images copies? Their nearest training images, by pixels.

The distance of two images is the root mean square difference of their pixels on the scale 0 to
255, after both were averaged down to 32x32, the smallest over the eight flips and quarter turns.
Averaging keeps what a person would recognise and forgives noise and compression.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from tfrecords_tools.errors import InputError

SIDE = 32
BLOCK = 2048
"""Images compared at a time: bounds memory to BLOCK x BLOCK distances."""
METRIC = "RMS pixel difference (0-255) at 32x32, smallest over flips and quarter turns"
PERCENTILE = 1.0


def nearest(images: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest reference image of each image.

    Args:
        images: uint8[n, side, side, 3].
        reference: uint8[m, side, side, 3], m of 1 or more.

    Returns:
        Its index, int64[n], and its distance in grey levels, float32[n]: 0 for a copy.

    Raises:
        InputError: no reference, or images that are not square or of another size.
    """
    _check(images, reference)
    index = np.zeros(len(images), np.int64)
    distance = np.zeros(len(images), np.float32)
    known = _flat(_averaged(reference))
    norms = np.einsum("ij,ij->i", known, known)
    for start in range(0, len(images), BLOCK):
        rows = slice(start, start + BLOCK)
        small = _averaged(images[rows])
        index[rows], symmetry = _search(small, known, norms)
        distance[rows] = _distances(small, symmetry, known[index[rows]])
    return index, distance


def symmetries(images: np.ndarray) -> Iterator[np.ndarray]:
    """The eight flips and quarter turns of square images: [n, side, side, c] each."""
    for turned in (images, images.swapaxes(1, 2)):
        yield turned
        yield turned[:, ::-1]
        yield turned[:, :, ::-1]
        yield turned[:, ::-1, ::-1]


@dataclasses.dataclass(frozen=True)
class Copies:
    """Distances to the nearest training image, of synthetic and of held-out real images.

    Attributes:
        synthetic_median: grey levels.
        synthetic_minimum: grey levels.
        held_out_median: grey levels.
        held_out_percentile: grey levels; one in a hundred held-out images is nearer than this.
        share_below: share of synthetic images that are nearer than this; 0.01 is expected of
            images that are as new as held-out ones.
    """

    synthetic_median: float
    synthetic_minimum: float
    held_out_median: float
    held_out_percentile: float
    share_below: float


def compare(synthetic: np.ndarray, held_out: np.ndarray) -> Copies:
    """Summary of two sets of distances from `nearest`.

    Args:
        synthetic: float[n], of synthetic images to training images.
        held_out: float[m], of real images of other lesions to the same training images.
    """
    threshold = np.percentile(held_out, PERCENTILE)
    return Copies(
        synthetic_median=float(np.median(synthetic)),
        synthetic_minimum=float(np.min(synthetic)),
        held_out_median=float(np.median(held_out)),
        held_out_percentile=float(threshold),
        share_below=float(np.mean(synthetic < threshold)),
    )


def _check(images: np.ndarray, reference: np.ndarray) -> None:
    shapes = f"got {list(images.shape)} and {list(reference.shape)}"
    if images.ndim != 4 or images.shape[1:] != reference.shape[1:]:
        raise InputError(f"images and reference must have one shape [*, side, side, 3], {shapes}")
    if images.shape[1] != images.shape[2]:
        raise InputError(f"images must be square, {shapes}")
    if not len(reference):
        raise InputError(f"needs at least one reference image, {shapes}")


def _averaged(images: np.ndarray) -> np.ndarray:
    """Area-averaged to 32x32 where larger, around 0: float32[n, side, side, 3]."""
    side = images.shape[1]
    if side <= SIDE:
        return images.astype(np.float32) - 127.5
    weights = _area_weights(side)
    small = np.empty((len(images), SIDE, SIDE, 3), np.float32)
    for start in range(0, len(images), 256):
        block = images[start : start + 256].astype(np.float32) - 127.5
        across = np.tensordot(block, weights, axes=(2, 1))
        small[start : start + 256] = np.tensordot(across, weights, axes=(1, 1)).transpose(
            0, 3, 2, 1
        )
    return small


def _area_weights(side: int) -> np.ndarray:
    """Share of each of `side` pixels in each of 32: float32[32, side], rows sum to 1."""
    edges = np.arange(SIDE + 1) * (side / SIDE)
    pixel = np.arange(side)
    upper = np.minimum(edges[1:, None], pixel + 1)
    lower = np.maximum(edges[:-1, None], pixel)
    return (np.clip(upper - lower, 0, None) * (SIDE / side)).astype(np.float32)


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def _search(
    small: np.ndarray, known: np.ndarray, norms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest row of `known` and the symmetry under which it is: int64[n] each."""
    best = np.full(len(small), np.inf, np.float32)
    index = np.zeros(len(small), np.int64)
    symmetry = np.zeros(len(small), np.int64)
    for number, turned in enumerate(symmetries(small)):
        queries = _flat(turned)
        for start in range(0, len(known), BLOCK):
            rows = slice(start, start + BLOCK)
            score = norms[rows] - 2 * (queries @ known[rows].T)  # squared distance less |query|^2
            found = score.argmin(axis=1)
            value = score[np.arange(len(score)), found]
            better = value < best
            best[better] = value[better]
            index[better] = start + found[better]
            symmetry[better] = number
    return index, symmetry


def _distances(small: np.ndarray, symmetry: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Exact distances of the pairs found; the search's own lose digits where they are small."""
    distance = np.empty(len(small), np.float32)
    for number, turned in enumerate(symmetries(small)):
        chosen = symmetry == number
        difference = _flat(turned[chosen]) - found[chosen]
        distance[chosen] = np.sqrt(np.mean(np.square(difference), axis=1))
    return distance
