"""The nearest training images of each image, by pixels and by features.

The pixel distance of two images is the root mean square difference of their pixels (0 to 255) after
both are averaged down to 32x32, the smallest over the eight flips and quarter turns. Averaging
keeps the content that a person recognises, and removes noise and compression.

The search is exact and uses a bound. Images are split into means of 2x2 pixels and the rest; by
Cauchy and Schwarz |x - y|^2 >= |x|^2 + |y|^2 - 2 (mx.my + |rest x| |rest y|), which takes a quarter
of the work. Only pairs whose bound is below the best distance found are compared in full.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from tfrecords_tools.errors import InputError

THUMBNAIL_SIDE = 32
COARSE_SIDE = 16
"""Side of the means in the bound."""
MOST_BOUNDS = 1 << 21
"""Most bounds of pairs in memory, for each of the eight symmetries."""
MOST_PAIRS = 2048
"""Pairs compared in full at a time."""
CROWDED_SHARE = 6
"""If the bound leaves more than one pair of this many, plain products are faster."""
BOUND_SLACK = 1e-5
"""Rounding of the bound, as a share of the squared norms; the bound is lowered by it."""
SYMMETRY_COUNT = 8
PIXEL_METRIC = "RMS pixel difference (0-255) at 32x32, smallest over flips and quarter turns"


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest reference images of each image, the nearest first.

    Attributes:
        index: int64[n, k], into the reference; of equally near images the first.
        distance: float32[n, k]; infinite if there are fewer than k images.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest(
    images: np.ndarray, reference: np.ndarray | NearestImages
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest reference image of each image.

    Args:
        images: uint8[n, side, side, 3].
        reference: see `NearestImages`; or a `NearestImages`, for many searches.

    Returns:
        Its index, int64[n], and its distance in grey levels, float32[n]: 0 for a copy.

    Raises:
        InputError: no reference, or images that are not square or of another size.
    """
    _check(images, reference.shape)
    search = reference if isinstance(reference, NearestImages) else NearestImages(reference)
    found = search.neighbours(images)
    return found.index[:, 0], found.distance[:, 0]


class NearestImages:
    """Searches reference images, which are averaged only once for many searches."""

    def __init__(self, reference: np.ndarray) -> None:
        """Averages uint8[m, side, side, 3], m of 1 or more.

        Raises:
            InputError: no image, or images that are not square.
        """
        _check(reference, reference.shape)
        self.shape = reference.shape
        small = averaged(reference)
        self.known = _flat(small)
        self.norms = np.einsum("ij,ij->i", self.known, self.known)
        self.coarse = _coarse(small)

    def subset(self, rows: np.ndarray) -> NearestImages:
        """Returns a search of some of the reference images: rows int[k], k of 1 or more."""
        return self._of(self.known[rows], self.norms[rows], self.coarse[rows])

    def joined(self, other: NearestImages) -> NearestImages:
        """Returns a search of these reference images and then those of another one."""
        names = ("known", "norms", "coarse")
        return self._of(
            *(np.concatenate([getattr(each, n) for each in (self, other)]) for n in names)
        )

    def _of(self, known: np.ndarray, norms: np.ndarray, coarse: np.ndarray) -> NearestImages:
        made = copy.copy(self)
        made.known, made.norms, made.coarse = known, norms, coarse
        made.shape = (len(known), *self.shape[1:])
        return made

    def neighbours(
        self,
        images: np.ndarray,
        k: int = 1,
        *,
        apart: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> Neighbours:
        """Finds the k nearest reference images of each image.

        Args:
            images: uint8[n, side, side, 3].
            k: how many, 1 or more.
            apart: groups of the images and groups of the reference; images of one group are not
                compared.

        Raises:
            InputError: images that are not square or of another size.
        """
        _check(images, self.shape)
        index = np.zeros((len(images), k), np.int64)
        distance = np.full((len(images), k), np.inf, np.float32)
        own, others = _codes(*apart) if apart else (None, None)
        step = max(1, MOST_BOUNDS // len(self.known))
        for start in range(0, len(images), step):
            rows = slice(start, start + step)
            same = None if own is None else own[rows, None] == others
            found = self._search(averaged(images[rows]), k, same)
            index[rows], distance[rows] = found.index, found.distance
        return Neighbours(index, distance)

    def distances(self, images: np.ndarray) -> np.ndarray:
        """Computes all distances of few images uint8[n, side, side, 3], in grey levels.

        Returns:
            float64[n, m].

        Raises:
            InputError: images that are not square or of another size.
        """
        _check(images, self.shape)
        turned = np.stack([_flat(each) for each in symmetries(averaged(images))])
        return np.sqrt(self._products(turned) / self.known.shape[1])

    def _search(self, small: np.ndarray, k: int, same: np.ndarray | None) -> Neighbours:
        n, m = len(small), len(self.known)
        turned = np.stack([_flat(each) for each in symmetries(small)])
        norms = np.einsum("ij,ij->i", turned[0], turned[0])
        bound = self._bounds(small, norms)
        if same is not None:
            bound[:, same] = np.inf
        limit = self._limits(turned, bound, k)
        crowded = (bound <= limit[:, None]).sum(axis=(0, 2)) * CROWDED_SHARE > m
        limit[crowded] = -np.inf
        numbers = np.nonzero((bound <= limit[:, None]) & np.isfinite(bound))
        squared = self._compare(turned, *numbers)
        found = _nearest_pairs(squared, numbers[1], numbers[2], n, m, k)
        if crowded.any():
            squared = self._products(turned[:, crowded])
            if same is not None:
                squared[same[crowded]] = np.inf
            order = np.argsort(squared, axis=1, kind="stable")[:, :k]
            found.index[crowded, : order.shape[1]] = order
            value = np.sqrt(np.take_along_axis(squared, order, axis=1))
            found.distance[crowded, : order.shape[1]] = value
        scale = np.float32(1 / np.sqrt(self.known.shape[1]))
        return Neighbours(found.index, found.distance * scale)

    def _bounds(self, small: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """Lower bounds of squared distances: float32[8, n, m]."""
        rest = _coarse(small)[:, -1:]
        means, block = block_means(small)
        # Turning and averaging in blocks commute.
        coarse = np.concatenate(
            [np.hstack([_flat(each) * np.float32(block), rest]) for each in symmetries(means)]
        )
        bound = (-2 * coarse) @ self.coarse.T
        bound = bound.reshape(SYMMETRY_COUNT, len(small), len(self.known))
        bound += ((1 - BOUND_SLACK) * norms)[:, None]
        bound += (1 - BOUND_SLACK) * self.norms
        return bound

    def _limits(self, turned: np.ndarray, bound: np.ndarray, k: int) -> np.ndarray:
        """Squared distances that the k-th nearest does not exceed: float32[n]."""
        n, m = bound.shape[1:]
        few = min(k + 2, m)
        best = bound.min(axis=0)
        column = np.argpartition(best, few - 1, axis=1)[:, :few].ravel()
        row = np.repeat(np.arange(n), few)
        symmetry = bound[:, row, column].argmin(axis=0)
        squared = self._compare(turned, symmetry, row, column)
        squared[~np.isfinite(best[row, column])] = np.inf
        if few < k:
            return np.full(n, np.inf, np.float32)
        limit = np.partition(squared.reshape(n, few), k - 1, axis=1)[:, k - 1]
        return limit * np.float32(1 + BOUND_SLACK)

    def _compare(
        self, turned: np.ndarray, symmetry: np.ndarray, row: np.ndarray, column: np.ndarray
    ) -> np.ndarray:
        """Squared distances of pairs, in full: float32[pairs]."""
        squared = np.empty(len(row), np.float32)
        for start in range(0, len(row), MOST_PAIRS):
            pairs = slice(start, start + MOST_PAIRS)
            difference = turned[symmetry[pairs], row[pairs]]
            difference -= self.known[column[pairs]]
            squared[pairs] = np.einsum("ij,ij->i", difference, difference)
        return squared

    def _products(self, turned: np.ndarray) -> np.ndarray:
        """Squared distances, the smallest over the symmetries: float64[n, m]."""
        queries = turned.astype(np.float64)
        norms = np.einsum("ij,ij->i", queries[0], queries[0])[:, None]
        squared = np.empty((turned.shape[1], len(self.known)))
        for start in range(0, len(self.known), MOST_PAIRS):
            known = self.known[start : start + MOST_PAIRS].astype(np.float64)
            closest = functools.reduce(np.maximum, (query @ known.T for query in queries))
            scale = norms + np.einsum("ij,ij->i", known, known)
            found = scale - 2 * closest
            found[found < 1e-12 * scale] = 0.0
            squared[:, start : start + MOST_PAIRS] = found
        return squared


def feature_neighbours(
    turned: np.ndarray,
    reference: np.ndarray,
    k: int = 1,
    *,
    apart: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Neighbours:
    """Finds the k nearest reference images by features, over the symmetries of each image.

    Args:
        turned: float[symmetries, n, d], features of each image under each symmetry.
        reference: float[m, d], m of 1 or more.
        k: how many, 1 or more.
        apart: see `NearestImages.neighbours`.

    Raises:
        InputError: no reference, or another number of features.
    """
    if turned.ndim != 3 or reference.ndim != 2 or turned.shape[2] != reference.shape[1]:
        raise InputError(
            "features must be [symmetries, n, d] and [m, d], got "
            f"{list(turned.shape)} and {list(reference.shape)}"
        )
    if not len(reference):
        raise InputError("needs at least one reference image, got none")
    center = reference.mean(axis=0, dtype=np.float64)
    known = reference - center
    norms = np.einsum("ij,ij->i", known, known)
    n, m = turned.shape[1], len(reference)
    index, distance = np.zeros((n, k), np.int64), np.full((n, k), np.inf, np.float32)
    own, others = _codes(*apart) if apart else (None, None)
    step, few = max(1, MOST_BOUNDS // m), min(k, m)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        squared = np.full((rows.stop - start, m), np.inf)
        for each in turned[:, rows]:
            query = each - center
            scale = np.einsum("ij,ij->i", query, query)[:, None] + norms
            value = scale - 2 * (query @ known.T)
            value[value < 1e-12 * scale] = 0.0
            np.minimum(squared, value, out=squared)
        if own is not None:
            squared[own[rows, None] == others] = np.inf
        order = np.argsort(squared, axis=1, kind="stable")[:, :few]
        index[rows, :few] = order
        distance[rows, :few] = np.sqrt(np.take_along_axis(squared, order, axis=1))
    return Neighbours(index, distance)


def symmetries(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the eight flips and quarter turns of square images: [n, side, side, c] each."""
    for turned in (images, images.swapaxes(1, 2)):
        yield turned
        yield turned[:, ::-1]
        yield turned[:, :, ::-1]
        yield turned[:, ::-1, ::-1]


def averaged(images: np.ndarray, small_side: int = THUMBNAIL_SIDE) -> np.ndarray:
    """Averages larger images down to a side, centred on 0: float32[n, side, side, 3]."""
    side = images.shape[1]
    if side <= small_side:
        return images.astype(np.float32) - 127.5
    small = np.empty((len(images), small_side, small_side, 3), np.float32)
    factor, rest = divmod(side, small_side)
    weights = _area_weights(side, small_side)
    for start in range(0, len(images), 256):
        block = images[start : start + 256]
        if rest:
            across = np.tensordot(block.astype(np.float32) - 127.5, weights, axes=(2, 1))
            found = np.tensordot(across, weights, axes=(1, 1)).transpose(0, 3, 2, 1)
        else:
            # Strided sums; `reduceat` takes five times as long.
            down = block[:, ::factor].astype(np.uint32)
            for first in range(1, factor):
                down += block[:, first::factor]
            total = down[:, :, ::factor].copy()
            for first in range(1, factor):
                total += down[:, :, first::factor]
            found = total / factor**2 - 127.5
        small[start : start + 256] = found
    return small


def _area_weights(side: int, small_side: int) -> np.ndarray:
    """Share of each pixel in each of fewer: float32[small_side, side], rows sum to 1."""
    edges = np.arange(small_side + 1) * (side / small_side)
    pixel = np.arange(side)
    upper = np.minimum(edges[1:, None], pixel + 1)
    lower = np.maximum(edges[:-1, None], pixel)
    return (np.clip(upper - lower, 0, None) * (small_side / side)).astype(np.float32)


def block_means(small: np.ndarray) -> tuple[np.ndarray, int]:
    """Means of square blocks, at most 16 along a side, and the side of a block in pixels."""
    side = small.shape[1]
    cells = next(cells for cells in range(min(COARSE_SIDE, side), 0, -1) if side % cells == 0)
    block = side // cells
    shape = (len(small), cells, block, cells, block, small.shape[3])
    return small.reshape(shape).mean(axis=(2, 4)), block


def _coarse(small: np.ndarray) -> np.ndarray:
    """Means, scaled to keep lengths, and the length of the rest: float32[n, cells + 1]."""
    means, block = block_means(small)
    rest = _flat(small - means.repeat(block, axis=1).repeat(block, axis=2))
    length = np.sqrt(np.einsum("ij,ij->i", rest, rest))
    return np.hstack([_flat(means) * np.float32(block), length[:, None]])


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def _nearest_pairs(
    squared: np.ndarray, row: np.ndarray, column: np.ndarray, n: int, m: int, k: int
) -> Neighbours:
    """The k smallest of each row, each column once; distances are sums, not means."""
    order = np.lexsort([column, squared, row])
    squared, row, column = squared[order], row[order], column[order]
    # If a pair occurs under several symmetries, the first is the nearest.
    _, first = np.unique(row * m + column, return_index=True)
    first.sort()
    squared, row, column = squared[first], row[first], column[first]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    chosen = rank < k
    index, distance = np.zeros((n, k), np.int64), np.full((n, k), np.inf, np.float32)
    index[row[chosen], rank[chosen]] = column[chosen]
    distance[row[chosen], rank[chosen]] = np.sqrt(squared[chosen])
    return Neighbours(index, distance)


def _codes(own: Sequence[str], others: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Turns names of groups into numbers, because numbers compare faster."""
    _, codes = np.unique([*own, *others], return_inverse=True)
    return codes[: len(own)], codes[len(own) :]


def _check(images: np.ndarray, reference: tuple[int, ...]) -> None:
    shapes = f"got {list(images.shape)} and {list(reference)}"
    if images.ndim != 4 or images.shape[1:] != reference[1:]:
        raise InputError(f"images and reference must have one shape [*, side, side, 3], {shapes}")
    if images.shape[1] != images.shape[2]:
        raise InputError(f"images must be square, {shapes}")
    if not reference[0]:
        raise InputError(f"needs at least one reference image, {shapes}")
