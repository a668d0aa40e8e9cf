"""Which checkpoint of a run is meant, and what the best one says of itself.

This module imports no TensorFlow, so that the command line knows the choices at once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tfrecords_tools.errors import InputError

LAST, BEST = "last", "best"
CHOICES = (LAST, BEST)
BEST_FILE = "best.weights.h5"
IMAGES_SEEN, MEAN_KID = "images_seen", "mean_kid"
"""Attributes of the best checkpoint's file: they cannot come apart from its weights."""


@dataclasses.dataclass(frozen=True)
class BestCheckpoint:
    """The checkpoint with the lowest mean over classes of the kernel distance.

    Attributes:
        path: the file, complete.
        images_seen: images that the run had seen.
        mean_kid: that mean, on the validation split.
    """

    path: Path
    images_seen: int
    mean_kid: float


def check_choice(checkpoint: str) -> None:
    """Checks which checkpoint is asked for.

    Raises:
        InputError: it is none of `CHOICES`.
    """
    if checkpoint not in CHOICES:
        raise InputError(f"unknown checkpoint {checkpoint!r}; there are {', '.join(CHOICES)}")


def note_best(file: Path, *, images_seen: int, mean_kid: float) -> None:
    """Writes into a weights file what it is the best of.

    Args:
        file: that Keras has saved.
        images_seen: images that the run had seen.
        mean_kid: mean over classes of the kernel distance.
    """
    import h5py

    with h5py.File(file, "r+") as weights:
        weights.attrs[IMAGES_SEEN] = images_seen
        weights.attrs[MEAN_KID] = mean_kid


def read_best(path: Path) -> BestCheckpoint | None:
    """What the best checkpoint says of itself; None where there is none.

    Raises:
        InputError: the file is damaged.
    """
    import h5py

    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as weights:
            images, kid = int(weights.attrs[IMAGES_SEEN]), float(weights.attrs[MEAN_KID])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): remove it; training writes the next best"
        ) from error
    return BestCheckpoint(path, images, kid)
