"""What tests of both packages do with files."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path


def contents(directory: Path) -> dict[str, bytes]:
    """All files below a directory, by their path in it."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def flip_bit(path: Path, position: int, bit: int = 0) -> None:
    """Damages a file in one bit of the byte at a position."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writes of this process fail half-way through a longer file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
