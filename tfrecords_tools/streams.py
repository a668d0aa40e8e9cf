"""The output of a command where nobody reads it: a terminal that is gone, a closed stream."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

STDIN, STDOUT, STDERR = range(3)
READER_GONE_ERRNOS = (errno.EPIPE, errno.EIO, errno.EBADF)
"""Errors of a pipe whose reader has ended, of a terminal that is closed, of a closed stream."""


def settle() -> None:
    """Makes output that nobody can read cost no work; call it before any file is opened.

    A stream that the caller has closed is opened on nothing, or else the next file that is opened
    would get its number, and TensorFlow's messages with it. Text that is not UTF-8, such as a file
    name, is written with escapes.
    """
    for number in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
    sys.stdout = _forgiving(sys.stdout, STDOUT)
    sys.stderr = _forgiving(sys.stderr, STDERR)


def check_written() -> None:
    """Checks at the end of a command that its output was written, or that nobody reads it.

    Raises:
        OSError: the first error of stdout, such as that of a full disk.
    """
    if sys.stdout is not None:
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Forgiving) and raw.error is not None:
        raise raw.error


class _Forgiving(io.FileIO):
    """Drops what is written after an error, because output must not cost work.

    Attributes:
        error: the first error, unless it says that the reader is gone.
    """

    failed = False
    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        if not self.failed:
            try:
                return super().write(data)
            except OSError as error:
                self.failed = True
                self.error = None if error.errno in READER_GONE_ERRNOS else error
        return len(data)


def _forgiving(stream: Any, number: int) -> Any:
    """Returns a stream like this one, None if it was closed; others than those of a shell stay."""
    if stream is not None and not _is_of_shell(stream, number):
        return stream
    raw = _Forgiving(number, "w", closefd=False)
    at_once = getattr(stream, "write_through", False)  # python -u, PYTHONUNBUFFERED
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=at_once or number == STDERR or raw.isatty(),
        write_through=False,
    )


def _is_of_shell(stream: Any, number: int) -> bool:
    """Whether this is the stream with which the process was started, not one put in its place."""
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):  # it has no number, or it is closed
        return False
