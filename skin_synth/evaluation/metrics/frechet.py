"""Fréchet distance of two sets of features."""

from __future__ import annotations

import math

import numpy as np

from skin_synth.evaluation.features.labelled_features import check_features
from skin_synth.evaluation.metrics import tfgan

AGREEMENT = 1e-6
"""tensorflow-gan is right if it differs from the exact distance by at most this share."""


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Computes the Fréchet distance between Gaussians fitted to two sets of features.

    |m - m'|^2 + trace(C + C' - 2 (C C')^(1/2)) with unbiased covariances (Heusel et al., "GANs
    trained by a two time-scale update rule", NeurIPS 2017, equation 6), by tensorflow-gan where it
    is right. Its square root takes eigenvalues below 1e-10 as they are, so it is wrong for features
    of small scale, such as rows of unit length; then, and where tensorflow-gan cannot be imported,
    the exact distance is returned. With the
    pooled features of Inception-v3 this is FID; with other features it is not. It is biased upwards
    for small sets, and more so for large d, so compare only at the same n.

    Args:
        real: float[n, d], n of 2 or more.
        fake: float[m, d], m of 2 or more.

    Returns:
        0 and above, in squared units of the features.

    Raises:
        InputError: see `check_features`.
    """
    check_features(real, fake, fewest=2)
    exact = _exact(real.astype(np.float64), fake.astype(np.float64))
    if not tfgan.available():
        return exact
    found = tfgan.frechet(*_in_their_span(real, fake))
    return found if math.isclose(found, exact, rel_tol=AGREEMENT) else exact


def _in_their_span(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns few rows of many features by as few coordinates as they need, with equal distances.

    tensorflow-gan takes the roots of matrices of all features, however few rows there are.
    """
    rows = np.concatenate([real, fake]).astype(np.float64)
    if len(rows) >= rows.shape[1]:
        return real, fake
    basis = np.linalg.qr(rows.T)[0]
    found = rows @ basis
    return found[: len(real)], found[len(real) :]


def _exact(x: np.ndarray, y: np.ndarray) -> float:
    """Computes the distance of float64[n, d] and float64[m, d] without a root of an eigenvalue.

    With C = A'A and C' = B'B, trace (C C')^(1/2) is the sum of the singular values of A B'.
    """
    a, b = _factor(x), _factor(y)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return max(0.0, float(means + np.square(a).sum() + np.square(b).sum() - 2 * cross))


def _factor(x: np.ndarray) -> np.ndarray:
    """Returns A with A'A = C, the covariance of float64[n, d]: float64[min(n, d), d]."""
    centred = (x - x.mean(axis=0)) / math.sqrt(len(x) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(x) > x.shape[1] else centred
