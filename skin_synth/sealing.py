"""Seals weights files: HDF5 has no checksum, so an altered byte would be an altered weight.

This module imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

SEAL = b"\nsha256:"
SEAL_LENGTH = len(SEAL) + 64
HASH_BLOCK = 2**20
"""Bytes read at a time, so that memory does not grow with the file."""
HDF5 = b"\x89HDF\r\n\x1a\n"
LENGTH_AT = {0: 40, 1: 44, 2: 28, 3: 28}
"""Offset of the length of an HDF5 file in it, by the version of its superblock, its next byte."""


def seal(file: Path) -> None:
    """Appends the sha256 of a file to it, after HDF5's part, so that both appear at once."""
    digest = _sha256(file, file.stat().st_size)
    with open(file, "ab") as end:
        end.write(SEAL + digest.encode())


def seal_fits(file: Path) -> bool | None:
    """Returns whether a file is as it was sealed; None for an HDF5 file that was never sealed.

    A file that is longer than its HDF5 part, or shorter, has lost a seal.
    """
    size = file.stat().st_size
    with open(file, "rb") as content:
        content.seek(max(0, size - SEAL_LENGTH))
        end = content.read()
    if not end.startswith(SEAL):
        return None if _length_of_hdf5(file) == size else False
    return _sha256(file, size - SEAL_LENGTH) == end[len(SEAL) :].decode("ascii", "replace")


def _length_of_hdf5(file: Path) -> int | None:
    with open(file, "rb") as content:
        head = content.read(64)
    at = LENGTH_AT.get(head[8]) if head.startswith(HDF5) and len(head) == 64 else None
    return None if at is None else int.from_bytes(head[at : at + 8], "little")


def _sha256(file: Path, size: int) -> str:
    """Returns the sha256 of the first `size` bytes: 64 hexadecimal digits."""
    digest, left = hashlib.sha256(), size
    with open(file, "rb") as content:
        while block := content.read(min(left, HASH_BLOCK)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()
