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


def seal(file: Path) -> None:
    """Appends the sha256 of a file to it, after HDF5's part, so that both appear at once."""
    digest = _sha256(file, file.stat().st_size)
    with open(file, "ab") as end:
        end.write(SEAL + digest.encode())


def seal_fits(file: Path) -> bool | None:
    """Returns whether a file is as it was sealed; None for a file without a seal."""
    size = file.stat().st_size
    with open(file, "rb") as content:
        content.seek(max(0, size - SEAL_LENGTH))
        end = content.read()
    if not end.startswith(SEAL):
        return None
    return _sha256(file, size - SEAL_LENGTH) == end[len(SEAL) :].decode("ascii", "replace")


def _sha256(file: Path, size: int) -> str:
    """Returns the sha256 of the first `size` bytes: 64 hexadecimal digits."""
    digest, left = hashlib.sha256(), size
    with open(file, "rb") as content:
        while block := content.read(min(left, HASH_BLOCK)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()
