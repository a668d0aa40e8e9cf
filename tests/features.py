"""Random features that distances between sets of images are tested on."""

from __future__ import annotations

import numpy as np


def features(n, d, *, seed, rank=None, shift=0.0):
    """Correlated random features, float32, of a given rank."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((rank or d, d))
    return (rng.standard_normal((n, rank or d)) @ mixing + shift).astype(np.float32)


FEATURE_CASES = {
    "more images than features": (features(60, 8, seed=0), features(50, 8, seed=1)),
    "other means": (features(40, 5, seed=0), features(40, 5, seed=0, shift=1.5)),
    "fewer images than features": (features(6, 24, seed=2), features(9, 24, seed=3)),
    "low rank": (features(50, 16, seed=4, rank=3), features(50, 16, seed=5, rank=2)),
    "two images": (features(2, 10, seed=6), features(2, 10, seed=7)),
}
