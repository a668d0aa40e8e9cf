"""Reads small files from outside: regular files only, and none above a limit."""

from __future__ import annotations

import functools
import operator
import os
import stat
from pathlib import Path
from typing import BinaryIO

from tfrecords_tools.errors import InputError

OPEN_FLAGS = functools.reduce(
    operator.or_,
    # Windows lacks the first two, and has the last one alone.
    (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY")),
    os.O_RDONLY,
)
"""Flags of files that are read as they are."""
LARGEST_TEXT = 64 * 2**20
"""Most bytes of a file of metadata; the report of a build of a million images takes 30 MiB."""


def open_at_once(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading; does not wait for the writer of a pipe.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    return open(os.open(path, OPEN_FLAGS), "rb")


def read_bounded(path: Path, limit: int = LARGEST_TEXT) -> bytes:
    """Reads a whole file.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is no regular file, such as a pipe, which would be waited for without end, or
            it has more than `limit` bytes.
    """
    with open_at_once(path) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError(f"{path} is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{path} has more than {limit:,} bytes")
    return content
