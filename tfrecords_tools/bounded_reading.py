"""Reads small files from outside: regular files only, and none above a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tfrecords_tools.errors import InputError

LARGEST_TEXT = 64 * 2**20
"""Most bytes of a file of metadata; the report of a build of a million images takes 30 MiB."""


def read_bounded(path: Path, limit: int = LARGEST_TEXT) -> bytes:
    """Reads a whole file.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is no regular file, such as a pipe, which would be waited for without end, or
            it has more than `limit` bytes.
    """
    # O_NONBLOCK, because opening a pipe would wait for its writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError(f"{path} is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{path} has more than {limit:,} bytes")
    return content
