"""Checkpoint files: their checksum, damage, and the record of the best one. Loads no TensorFlow."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

from skin_synth.hdf5_check import check_arrays
from skin_synth.sealing import seal_fits
from tfrecords_tools.errors import InputError

LAST, BEST = "last", "best"
CHECKPOINT_CHOICES = (LAST, BEST)
BEST_FILE = "best.weights.h5"
DAMAGED_PREFIX = "damaged-"
"""Start of the name of a damaged checkpoint that was set aside."""
DEFAULT_KEEP = 2
"""Checkpoints that a run keeps in addition to the best one, so that one may be damaged."""
IMAGES_SEEN, MEAN_KID = "images_seen", "mean_kid"
"""Attributes in the file of the best checkpoint, so that they always fit its weights."""


@dataclasses.dataclass(frozen=True)
class BestCheckpoint:
    """The checkpoint with the lowest mean over classes of the kernel distance.

    Attributes:
        images_seen: images that the run had seen.
        mean_kid: this mean, on the validation split.
    """

    path: Path
    images_seen: int
    mean_kid: float


def check_choice(checkpoint: str) -> None:
    """Checks the name of a checkpoint.

    Raises:
        InputError: it is none of `CHECKPOINT_CHOICES`.
    """
    if checkpoint not in CHECKPOINT_CHOICES:
        raise InputError(
            f"unknown checkpoint {checkpoint!r}; there are {', '.join(CHECKPOINT_CHOICES)}"
        )


def note_best(file: Path, *, images_seen: int, mean_kid: float) -> None:
    """Records the figures of a `BestCheckpoint` in a weights file that Keras saved."""
    import h5py

    with h5py.File(file, "r+", locking=False) as weights:
        weights.attrs[IMAGES_SEEN] = images_seen
        weights.attrs[MEAN_KID] = mean_kid


def read_best(path: Path) -> BestCheckpoint | None:
    """Reads the record of the best checkpoint; None if there is no such file.

    Raises:
        InputError: the file is damaged.
    """
    import h5py

    if not path.exists():
        return None
    try:
        with h5py.File(path, "r", locking=False) as weights:
            images, kid = int(weights.attrs[IMAGES_SEEN]), float(weights.attrs[MEAN_KID])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): remove it; training writes the next best"
        ) from error
    return BestCheckpoint(path, images, kid)


def damage(file: Path) -> str | None:
    """Says what is wrong with a checkpoint; None if nothing is.

    A file of a release that wrote no checksum is read by HDF5. This finds a file that is cut off,
    but not one that is altered.

    Raises:
        FileNotFoundError: the file is gone.
    """
    if file.is_symlink() and not file.exists():
        return f"it is a link to {os.readlink(file)}, which does not exist"
    if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for ever
        return "it is not a file"
    try:
        return _damage(file)
    except FileNotFoundError:
        raise
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def _damage(file: Path) -> str | None:
    size = file.stat().st_size
    if size == 0:
        return "it is empty"
    if (fits := seal_fits(file)) is not None:
        return None if fits else "its checksum does not fit"
    return _unreadable(file)


def _unreadable(file: Path) -> str | None:
    try:
        check_arrays(file, file.stat().st_size)  # without a lock: no one writes to a checkpoint
    except ValueError as error:
        return str(error)
    except (OSError, RuntimeError, KeyError) as error:
        return f"HDF5 cannot read it: {error}"
    return None
