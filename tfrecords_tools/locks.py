"""One process at a time trains in a run directory, or works on a balance."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.errors import InputError


@contextlib.contextmanager
def locked(
    file: Path, what: str, *, work: str = "trains it", flag: str = "--run"
) -> Iterator[None]:
    """Holds a lock while the block runs.

    The kernel holds it, so that it ends with the process however that ends: what a killed process
    leaves behind is a file that locks nothing. The block may remove the file.

    Args:
        file: holds the number of the process that has, or had, the lock.
        what: is locked, for the message.
        work: what a process does that has the lock, for the message.
        flag: which flag may name another place, for the message.

    Raises:
        InputError: another process has the lock; the message names it.
    """
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"{what} is in use by process {_holder(handle)}, which {work}: "
                    f"wait for it, stop it, or choose another {flag}"
                ) from error
            # One that was removed meanwhile locks nothing: others meet in a new one.
            if not _is_there(handle, file):
                continue
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
            yield
            return
        finally:
            os.close(handle)


def _is_there(handle: int, file: Path) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def _holder(handle: int) -> str:
    # Empty for the moment between the lock and its note.
    return os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "(number unknown)"
