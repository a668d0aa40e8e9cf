"""Features of a set of images, with the label of each image."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrecords_tools.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """Features float[n, d] of a set of images, and their labels int[n]."""

    features: np.ndarray
    labels: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> LabelledFeatures:
        """Returns some of the images: bool[n] or int[m]."""
        return LabelledFeatures(self.features[rows], self.labels[rows])

    def of(self, label: int | None) -> np.ndarray:
        """Returns the features of one class, or of all: float[m, d]."""
        return self.features if label is None else self.features[self.labels == label]


def check_features(real: np.ndarray, fake: np.ndarray, fewest: int = 0) -> None:
    """Checks that float[n, d] and float[m, d] can be compared; n and m are at least `fewest`.

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise InputError(
            f"features must be [n, d] and [m, d], got {list(real.shape)} and {list(fake.shape)}"
        )
    if min(len(real), len(fake)) < fewest:
        raise InputError(
            f"needs {fewest} images or more on each side, got {len(real)} and {len(fake)}"
        )
    for features in (real, fake):
        check_finite(features, "features")


def check_finite(features: np.ndarray, what: str) -> None:
    """Checks that all features are finite numbers.

    Raises:
        InputError: some are not; the message names `what`.
    """
    if not np.isfinite(features).all():
        rows = int((~np.isfinite(features)).any(axis=1).sum())
        raise InputError(
            f"{what} hold numbers that are not finite (NaN or infinite), for {rows:,} of "
            f"{len(features):,} images: check the weights and the preprocessing of the network"
        )
