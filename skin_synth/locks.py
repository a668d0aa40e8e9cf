"""One process at a time trains in a run directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.errors import InputError


@contextlib.contextmanager
def locked(file: Path, what: str) -> Iterator[None]:
    """Holds a lock while the block runs.

    The kernel holds it, so that it ends with the process however that ends: what a killed process
    leaves behind is a file that locks nothing. The file stays, for one that is removed could be
    locked by two processes, each in its own copy.

    Args:
        file: holds the number of the process that has, or had, the lock.
        what: is locked, for the message.

    Raises:
        InputError: another process has the lock; the message names it.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{what} is in use by process {_holder(handle)}, which trains it: "
                "wait for it, stop it, or choose another --run"
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    # Empty for the moment between the lock and its note.
    return os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "(number unknown)"
