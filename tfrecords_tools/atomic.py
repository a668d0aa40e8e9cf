"""Files and directories that appear whole or not at all.

What is written goes to a hidden sibling of its target first, is flushed to the disk, and takes
the target's name in one rename. A killed process leaves at most such a sibling behind, which the
next call for the same target removes. A directory at work is locked: the number of its process says
nothing in another container.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked_directory

NEW, OLD = "new", "old"
"""What a temporary sibling holds: what is to come, or what it is to replace."""


@contextlib.contextmanager
def new_directory(
    path: str | os.PathLike[str], *, overwrite: bool = False, marker: str | None = None
) -> Iterator[Path]:
    """Gives a temporary directory that becomes `path` when the block ends well.

    Args:
        path: the directory to be; its parents are made.
        overwrite: whether a directory that is there already may be replaced, if it is empty or
            holds `marker`.
        marker: a file that the block writes, relative to the directory, by which the work of an
            earlier call is known; None: none is.

    Yields:
        The temporary directory, empty.

    Raises:
        InputError: `path` exists and may not be overwritten, is a file, holds something else than
            what would take its place, or another process writes it under the same number.
    """
    target = Path(path).resolve()
    _tidy(target)
    if target.exists() and not overwrite:
        raise _exists(path)
    if target.exists() and not target.is_dir():
        raise InputError(f"{path} is a file, not a directory: choose another place")
    _check_replaceable(target, marker)
    made = _make_parents(target)
    temporary = _sibling(target, NEW)
    try:
        temporary.mkdir()
    except OSError as error:
        _remove_empty(made)
        if not isinstance(error, FileExistsError):
            raise
        told = f"{path} is being written by another process: wait, or choose another place"
        raise InputError(told) from error
    held = contextlib.ExitStack()
    try:
        held.enter_context(locked_directory(temporary))
        yield temporary
        _flush_tree(temporary)
        if overwrite and target.exists():
            _check_replaceable(target, marker)
            held.enter_context(locked_directory(target))
            _swap(temporary, target)
        else:
            _place(temporary, target)
        _flush(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)
        raise
    finally:
        held.close()


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
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target)
    temporary = _sibling(target, NEW)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        _flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def check_apart(
    out: str | os.PathLike[str],
    inputs: Mapping[str, str | os.PathLike[str] | None],
    *,
    may_lie_in: Collection[str] = (),
) -> None:
    """Keeps what is written from replacing what it is made from, and from landing in it.

    Args:
        out: directory to be.
        inputs: files and directories that are read, by what they are; None where there is none.
        may_lie_in: those of them that have room for results, such as a run.

    Raises:
        InputError: an input is or lies in `out`, or `out` lies in an input.
    """
    place = Path(out).resolve()
    for what, source in inputs.items():
        if source is None:
            continue
        if Path(source).resolve().is_relative_to(place):
            raise InputError(
                f"{source} lies in {out}, which would be replaced: choose another --out"
            )
        if what not in may_lie_in and place.is_relative_to(Path(source).resolve()):
            raise InputError(f"{out} lies in {what} {source}: choose another --out")


def _check_replaceable(target: Path, marker: str | None) -> None:
    """Keeps what no earlier call has written: a name mistyped must not cost a directory."""
    if not target.exists() or not any(target.iterdir()):
        return
    if marker is None or not (target / marker).is_file():
        why = "" if marker is None else f" without {marker}"
        raise InputError(
            f"{target} holds something else{why} than what would take its place: choose another "
            "place, or remove it yourself"
        )


def _exists(path: object) -> InputError:
    return InputError(f"{path} exists already: choose another place, or give --overwrite")


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".tmp-{os.getpid()}.{kind}.{target.name}")


def _tidy(target: Path) -> None:
    """Clears up after processes that were killed while they wrote this target.

    What such a process had moved aside goes back if nothing took its place; the rest is removed.
    """
    if not target.parent.is_dir():
        return
    name = re.compile(rf"\.tmp-(\d+)\.({NEW}|{OLD})\.{re.escape(target.name)}")
    for sibling in target.parent.iterdir():
        match = name.fullmatch(sibling.name)
        if not match or _alive(int(match[1])):
            continue
        if not sibling.is_dir():
            sibling.unlink(missing_ok=True)
            continue
        with locked_directory(sibling) as free:
            if free and match[2] == OLD and not target.exists():
                sibling.rename(target)
            elif free:
                shutil.rmtree(sibling, ignore_errors=True)


def _alive(pid: int) -> bool:
    """Whether another process of this number runs."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _make_parents(target: Path) -> list[Path]:
    """Makes the parents; returns those that were missing, the innermost first."""
    missing = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _place(temporary: Path, target: Path) -> None:
    """Gives `temporary` its name, unless another process has taken that meanwhile."""
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise _exists(target) from error
        raise


def _swap(temporary: Path, target: Path) -> None:
    """Puts `temporary` in the place of `target`, whose old content goes last."""
    old = _sibling(target, OLD)
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
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
