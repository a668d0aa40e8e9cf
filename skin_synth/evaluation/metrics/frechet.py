"""Fréchet distance of two sets of features."""

from __future__ import annotations

import numpy as np

from skin_synth.evaluation.features.labelled_features import check_features
from skin_synth.evaluation.metrics import tfgan


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Computes the Fréchet distance between Gaussians fitted to two sets of features.

    |m - m'|^2 + trace(C + C' - 2 (C C')^(1/2)) with unbiased covariances (Heusel et al., "GANs
    trained by a two time-scale update rule", NeurIPS 2017, equation 6), by tensorflow-gan. With the
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
    return max(0.0, tfgan.frechet(real, fake))
