"""How far two sets of images are apart, by their features."""

from __future__ import annotations

import numpy as np

from skin_synth.evaluation.metrics import tfgan
from skin_synth.evaluation.metrics.kernel_sums import sums_across, sums_within, unbiased_distance
from tfrecords_tools.errors import InputError

KERNEL = "(x.y / d + 1)^3"
"""The kernel of `kernel_distance`; d is the number of features."""
IN_ONE_BLOCK = 2_000
"""Rows a side up to which a kernel matrix is held whole: three of them take 100 MB."""


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features.

    |m - m'|^2 + trace(C + C' - 2 (C C')^(1/2)) with unbiased covariances (Heusel et al., "GANs
    trained by a two time-scale update rule", NeurIPS 2017, equation 6), computed by
    tensorflow-gan. With the pool of Inception-v3 as features this is FID, with others it is not.
    Biased upwards for small sets, the more the larger d is: compare at the same n only.

    Args:
        real: float[n, d], n of 2 or more.
        fake: float[m, d], m of 2 or more.

    Returns:
        0 and above, in squared units of the features.

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    _check(real, fake)
    return max(0.0, tfgan.frechet(real, fake))


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Kernel distance (KID): unbiased squared maximum mean discrepancy, cubic kernel.

    mean k(x, x') over pairs of different x + the same of y - 2 mean k(x, y), with
    k(x, y) = (x.y / d + 1)^3 (Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, section 3.2
    and Gretton et al., JMLR 2012, equation 3). Unbiased at any n; negative values are noise around
    0. Computed by tensorflow-gan in one block; of more than 2,000 rows, for which its memory grows
    with their square, from the same sums made block by block.

    Args:
        real: float[n, d], n of 2 or more.
        fake: float[m, d], m of 2 or more.

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    _check(real, fake)
    if max(len(real), len(fake)) <= IN_ONE_BLOCK:
        return tfgan.kernel(real, fake)
    x, y = real.astype(np.float64), fake.astype(np.float64)
    return unbiased_distance(sums_within(x), sums_within(y), sums_across(x, y))


def _check(real: np.ndarray, fake: np.ndarray) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise InputError(
            f"features must be [n, d] and [m, d], got {list(real.shape)} and {list(fake.shape)}"
        )
    if min(len(real), len(fake)) < 2:
        raise InputError(f"a distance needs two images on each side, got {len(real)}, {len(fake)}")
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise InputError("features hold numbers that are not finite")
