"""Checkpoint files: which one is meant, whether it is whole, what the best one says of itself.

This module imports no TensorFlow, so that the command line knows the choices at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

from tfrecords_tools.errors import InputError

LAST, BEST = "last", "best"
CHOICES = (LAST, BEST)
BEST_FILE = "best.weights.h5"
DAMAGED = "damaged-"
"""Prefix of the name of a checkpoint that could not be read, set aside."""
KEPT = 2
"""Checkpoints that a run keeps by default, the best one not counted: one to fall back on."""
SEAL = b"\nsha256:"
SEAL_LENGTH = len(SEAL) + 64
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


def reserve(file: Path, size: int) -> None:
    """Makes sure that a file of so many bytes has room, and removes it again.

    HDF5 that meets a full disk half-way complains once more whenever it closes something.

    Args:
        file: to be written next; nothing is there yet.
        size: in bytes.

    Raises:
        OSError: there is no room, or files may not be so long.
    """
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.posix_fallocate(handle, 0, max(size, 1))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(file)) from error
    finally:
        os.close(handle)
        file.unlink()


def seal(file: Path) -> None:
    """Appends the sha256 of a file to it, behind the end that HDF5 reads to.

    So file and checksum cannot come apart, and appear in one rename.
    """
    digest = _sha256(file, file.stat().st_size)
    with open(file, "ab") as end:
        end.write(SEAL + digest.encode())


def damage(file: Path) -> str | None:
    """What is wrong with a checkpoint, for a person; None if nothing is.

    A file without a seal, of a release that set none, is looked through by HDF5: what is cut off
    is found then, what is altered is not.

    Args:
        file: that `seal` was called on, or should have been.
    """
    size = file.stat().st_size
    if size == 0:
        return "it is empty"
    with open(file, "rb") as content:
        content.seek(max(0, size - SEAL_LENGTH))
        end = content.read()
    if end.startswith(SEAL):
        digest = end[len(SEAL) :].decode("ascii", "replace")
        good = _sha256(file, size - SEAL_LENGTH) == digest
        return None if good else "its checksum does not fit"
    return _unreadable(file)


def _unreadable(file: Path) -> str | None:
    import h5py

    def read(name: str, item: h5py.HLObject) -> None:
        del name
        if isinstance(item, h5py.Dataset):
            item[()]

    try:
        with h5py.File(file, "r") as weights:
            weights.visititems(read)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        return f"HDF5 cannot read it: {error}"
    return None


def _sha256(file: Path, size: int) -> str:
    """Of the first `size` bytes: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        while size > 0 and (block := content.read(min(size, 2**20))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
