"""Perceptual hashes: the hashes of images that look alike differ in few bits.

The image is shrunk to 32x32 in grey. The hash holds the signs of the 63 lowest frequencies of its
discrete cosine transform (after Zauner 2010, "Implementation and Benchmarking of Perceptual Image
Hash Functions", which compares with the median instead). A flip or a quarter turn changes the signs
in a known way, so one hash also finds flipped and turned copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

GREY_SIDE = 32
"""Side of the shrunken image, in pixels."""
HASH_FREQUENCIES = 8
"""Frequencies kept along each side: 64 bits; the bit of the mean is always 0."""
MAX_HASH_DISTANCE = 3
"""Hashes of near-duplicates differ in at most this many bits."""
HASH_BANDS = MAX_HASH_DISTANCE + 1
"""Hashes that differ in at most `MAX_HASH_DISTANCE` bits are equal in at least one of this many
parts."""
BAND_BITS = 64 // HASH_BANDS
PAIRS_AT_ONCE = 2**20
"""Pairs compared at a time; this bounds the memory."""
SYMMETRIES: Mapping[str, tuple[bool, bool, bool]] = {
    "none": (False, False, False),
    "flip_left_right": (False, False, True),
    "flip_top_bottom": (False, True, False),
    "half_turn": (False, True, True),
    "transpose": (True, False, False),
    "quarter_turn_left": (True, True, False),
    "quarter_turn_right": (True, False, True),
    "transverse": (True, True, True),
}
"""Each symmetry as: transpose, then flip top to bottom, then flip left to right."""


_K, _X = np.mgrid[0:HASH_FREQUENCIES, 0:GREY_SIDE]
_COSINES = np.cos(np.pi * _K * (2 * _X + 1) / (2 * GREY_SIDE)).astype(np.float32)
"""Rows of the DCT-II: float32[HASH_FREQUENCIES, GREY_SIDE]."""
_WEIGHTS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def perceptual_hash(image: Image.Image) -> int:
    """Computes the hash of an image of any mode and size, 64 bits."""
    small = image.convert("L").resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX)
    spectrum = _COSINES @ np.asarray(small, np.float32) @ _COSINES.T
    return int(_WEIGHTS[spectrum.ravel() < 0].sum(dtype=np.uint64))


def transformed(hashes: np.ndarray, symmetry: str) -> np.ndarray:
    """Computes the hashes of flipped or turned images: uint64[n] -> uint64[n].

    A flip changes the signs of the odd frequencies along its axis, a transposition swaps the axes.
    """
    transpose, top_bottom, left_right = SYMMETRIES[symmetry]
    bits = (hashes[:, None] & _WEIGHTS != 0).reshape(-1, HASH_FREQUENCIES, HASH_FREQUENCIES)
    if transpose:
        bits = bits.transpose(0, 2, 1)
    odd = np.arange(HASH_FREQUENCIES) % 2 == 1
    bits = bits ^ (top_bottom & odd[:, None]) ^ (left_right & odd[None, :])
    return (bits.reshape(-1, 64) * _WEIGHTS).sum(axis=1, dtype=np.uint64)


def near_pairs(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields indices of pairs from uint64[n], uint64[m] within `MAX_HASH_DISTANCE` bits.

    The search is exact but not quadratic: one of the parts of two such hashes must be equal.
    """
    for band in range(HASH_BANDS):
        for i, j in _equal_band(first, second, band):
            differing = first[i] ^ second[j]
            kept = np.bitwise_count(differing) <= MAX_HASH_DISTANCE
            # A pair that agrees in several bands is yielded once, in the first of them.
            for earlier in range(band):
                kept &= _band(differing, earlier) != 0
            yield from zip(i[kept].tolist(), j[kept].tolist(), strict=True)


def _band(hashes: np.ndarray, band: int) -> np.ndarray:
    return hashes >> np.uint64(band * BAND_BITS) & np.uint64(2**BAND_BITS - 1)


def _equal_band(
    first: np.ndarray, second: np.ndarray, band: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields indices of all pairs whose hashes agree in a band, in blocks that bound the memory."""
    order = np.argsort(_band(second, band), kind="stable")
    keys = _band(second, band)[order]
    wanted = _band(first, band)
    start, stop = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, "right")
    ends = np.cumsum(stop - start)
    row = 0
    while row < len(first):
        before = ends[row - 1] if row else 0
        last = max(int(np.searchsorted(ends, before + PAIRS_AT_ONCE, "right")), row + 1)
        counts = (stop - start)[row:last]
        i = np.repeat(np.arange(row, last), counts)
        within = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield i, order[np.repeat(start[row:last], counts) + within]
        row = last
