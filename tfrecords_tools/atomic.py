"""Files and directories that appear whole or not at all.

What is written goes to a hidden sibling of its target first, is flushed to the disk, and takes
the target's name in one rename. A killed process leaves at most such a sibling behind, which the
next call for the same target removes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.errors import InputError


@contextlib.contextmanager
def new_directory(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary directory that becomes `path` when the block ends well.

    Args:
        path: the directory to be; its parents are made.
        overwrite: whether a directory that is there already may be replaced.

    Yields:
        The temporary directory, empty.

    Raises:
        InputError: `path` exists and may not be overwritten, or is a file.
    """
    target = Path(path).absolute()
    if target.exists() and not overwrite:
        raise InputError(f"{path} exists already: choose another place, or give --overwrite")
    if target.exists() and not target.is_dir():
        raise InputError(f"{path} is a file, not a directory: choose another place")
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_debris(target)
    temporary = _temporary(target)
    temporary.mkdir()
    try:
        yield temporary
        _flush_tree(temporary)
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path whose file becomes `path` when the block ends well.

    A file that is there already is replaced in one step. The suffixes of `path` are kept, for
    writers that go by them.

    Args:
        path: the file to be; its parents are made.

    Yields:
        The temporary path; nothing is there yet.
    """
    target = Path(path).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_debris(target)
    temporary = _temporary(target)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        _flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    return target.with_name(f".tmp-{os.getpid()}.{target.name}")


def _remove_debris(target: Path) -> None:
    """Removes temporary siblings of this target whose process is gone."""
    name = re.compile(rf"\.tmp-(\d+)\.{re.escape(target.name)}")
    for sibling in target.parent.iterdir():
        match = name.fullmatch(sibling.name)
        if match and not _alive(int(match[1])):
            if sibling.is_dir():
                shutil.rmtree(sibling, ignore_errors=True)
            else:
                sibling.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _swap(temporary: Path, target: Path) -> None:
    """Puts `temporary` in the place of `target`, whose old content goes last."""
    old = target.with_name(f".tmp-{os.getpid()}.old.{target.name}")
    if target.exists():
        target.rename(old)
    temporary.rename(target)
    _flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _flush_tree(directory: Path) -> None:
    for folder, _, files in os.walk(directory):
        for file in files:
            _flush(Path(folder, file))
        _flush(Path(folder))


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
