"""Locks on files and directories, by filelock; the kernel releases them when their process ends."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout, lock_descriptor

from tfrecords_tools.errors import InputError

NO_FLOCK_ERRORS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""Errors of a file system without flock, often a network file system."""
SOFT_SUFFIX = ".soft"
"""End of the name of the file that locks where there is no flock."""
WINDOWS = sys.platform == "win32"
ACQUIRE_SECONDS = 0.2
"""Seconds for a second try, in case the file was removed during the first one."""

_LOG = logging.getLogger("tfrecords_tools")


def check_system() -> None:
    """Checks that results can be written: whole or not at all, which needs the calls of POSIX.

    Raises:
        InputError: on Windows.
    """
    if WINDOWS:
        raise InputError(
            "Skin Synth writes results on Linux and macOS only: on Windows run it in WSL 2 (`wsl "
            "--install`). Windows itself reads data sets, loads generators and asks servers"
        )


@contextlib.contextmanager
def locked(
    file: Path, what: str, *, work: str = "trains it", flag: str = "--run"
) -> Iterator[None]:
    """Holds a lock while the block runs.

    A killed process leaves a file that locks nothing. The block may remove the file.

    Args:
        file: the lock; it holds the number of the process that has, or had, the lock.
        what: the locked thing, for the message.
        work: what the holder does, for the message.
        flag: the flag that may name another place, for the message.

    Raises:
        InputError: another process holds the lock; the message names it. Or on Windows.
    """
    check_system()
    file.touch()  # filelock gives 0644; a group of users may share the directory, with its umask.
    lock: BaseFileLock = FileLock(file, timeout=ACQUIRE_SECONDS, on_acquired=_write_pid)
    try:
        try:
            lock.acquire()
        except OSError as error:
            if error.errno not in NO_FLOCK_ERRORS:
                raise
            _LOG.warning(
                "%s: this file system has no flock; %s locks instead. If a process on "
                "another machine was killed, remove that file",
                file,
                f"{file.name}{SOFT_SUFFIX}",
            )
            lock = SoftFileLock(f"{file}{SOFT_SUFFIX}", timeout=ACQUIRE_SECONDS)
            lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{what} is in use by process {_holder(Path(lock.lock_file))}, which {work}: "
            f"wait for it, stop it, or choose another {flag}"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def locked_directory(directory: Path, *, wait: bool = False) -> Iterator[bool]:
    """Holds a lock on a directory while the block runs, even if the directory is renamed.

    `wait`: whether to wait for a process that holds it. A directory counts as free if its file
    system has no locks, like some network file systems.

    Yields:
        Whether the directory was there and free.
    """
    try:
        handle = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        free = True
        with contextlib.suppress(OSError):
            free = lock_descriptor(handle, blocking=wait)
        yield free
    finally:
        os.close(handle)


def _write_pid(handle: int) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _holder(file: Path) -> str:
    # Empty between taking the lock and writing the number.
    with contextlib.suppress(FileNotFoundError, IndexError):
        return file.read_text("ascii", "replace").split()[0]
    return "(number unknown)"
