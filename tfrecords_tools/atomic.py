"""Files and directories that appear whole or not at all.

A writer works in a hidden sibling of its target. The sibling is flushed to the disk and renamed in
one step. A killed process leaves at most this sibling, which the next call for the same target
removes. A lock shows that a sibling is in use; a process id would mean nothing in another
container.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import check_system, locked_directory
from tfrecords_tools.paths import real_path

_log = logging.getLogger(__name__)

NEW, OLD = "new", "old"
"""Kinds of temporary siblings: the new content, or the old content that it replaces."""


@contextlib.contextmanager
def new_directory(
    path: str | os.PathLike[str], *, overwrite: bool = False, marker: str | None = None
) -> Iterator[Path]:
    """Gives a temporary directory that becomes `path` if the block succeeds.

    Args:
        path: the directory to write; its parents are made.
        overwrite: whether to replace an existing directory that is empty or holds `marker`.
        marker: relative path of a file that the block writes. It shows that a directory is the
            result of an earlier call. None: only an empty directory is replaced.

    Yields:
        The empty temporary directory.

    Raises:
        InputError: `path` exists and may not be replaced, is a file, or is being written by a
            process with the same id in another container. Or on Windows.
    """
    check_system()
    target = real_path(path)
    _tidy(target)
    if _written_elsewhere(target):  # better now than when the work is done
        raise _in_use(path)
    if target.exists() and not overwrite:
        raise _exists(path)
    if target.exists() and not target.is_dir():
        raise InputError(f"{path} is a file, not a directory: choose another place")
    _check_replaceable(target, marker)
    if overwrite and Path.cwd().is_relative_to(target):
        raise InputError(
            f"{path} is or holds the folder that you are in, which would be replaced: go to "
            "another folder, or choose another place"
        )
    temporary = _sibling(target, NEW)
    with made_parents(target), contextlib.ExitStack() as held:
        try:
            temporary.mkdir()
        except FileExistsError as error:
            raise _in_use(path) from error
        try:
            held.enter_context(locked_directory(temporary))
            yield temporary
            for written in (temporary, *temporary.rglob("*")):
                _flush(written)
            if overwrite and target.exists():
                _check_replaceable(target, marker)
                held.enter_context(locked_directory(target))
                _swap(temporary, target)
            else:
                _place(temporary, target)
            _flush(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path whose file becomes `path` if the block succeeds.

    An existing file is replaced in one step, and parents are made. The temporary path does not
    exist yet. It has the suffixes of `path`, because some writers depend on them.

    Raises:
        InputError: on Windows.
    """
    check_system()
    target = real_path(path)
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


@contextlib.contextmanager
def made_parents(path: Path) -> Iterator[None]:
    """Makes the parents of a path, and removes them again if the block fails and they are empty."""
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def check_apart(
    out: str | os.PathLike[str],
    inputs: Mapping[str, str | os.PathLike[str] | None],
    *,
    may_lie_in: Collection[str] = (),
) -> None:
    """Checks that a result neither replaces its inputs nor is inside one of them.

    Args:
        out: the directory to write.
        inputs: files and directories that are read, by their description; None: no such input.
        may_lie_in: inputs that may hold results, such as a run.

    Raises:
        InputError: an input is `out` or is inside it, or `out` is inside an input.
    """
    place = real_path(out)
    for what, source in inputs.items():
        if source is None:
            continue
        read = real_path(source)
        if read.is_relative_to(place):
            raise InputError(
                f"{source} lies in {out}, which would be replaced: choose another --out"
            )
        if what not in may_lie_in and place.is_relative_to(read):
            raise InputError(f"{out} lies in {what} {source}: choose another --out")


def _check_replaceable(target: Path, marker: str | None) -> None:
    """Protects directories that no earlier call wrote, for example after a typing error."""
    if not target.exists() or not any(target.iterdir()):
        return
    if marker is None or not (target / marker).is_file():
        why = "" if marker is None else f" (no {marker})"
        raise InputError(
            f"{target} holds something else{why}: choose another place, or remove it yourself"
        )


def _exists(path: object) -> InputError:
    return InputError(f"{path} exists already: choose another place, or give --overwrite")


def _in_use(path: object) -> InputError:
    return InputError(f"{path} is being written by another process: wait, or choose another place")


def _written_elsewhere(target: Path) -> bool:
    """Returns whether another process on this machine writes the directory now."""
    name = re.compile(rf"\.tmp-(\d+)\.{NEW}\.{re.escape(target.name)}")
    siblings = target.parent.iterdir() if target.parent.is_dir() else ()
    for sibling in siblings:
        match = name.fullmatch(sibling.name)
        if match and int(match[1]) != os.getpid() and sibling.is_dir():
            with locked_directory(sibling) as free:
                if not free and sibling.exists():
                    return True
    return False


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".tmp-{os.getpid()}.{kind}.{target.name}")


def _tidy(target: Path) -> None:
    """Removes what killed processes left, and moves back old content that was not replaced.

    In a folder that others may write to, a sibling may be planted. So only what this user owns
    counts, and old content is moved back only next to the new content that should replace it: a
    process that is killed between its two renames leaves both.
    """
    if not target.parent.is_dir():
        return
    name = re.compile(rf"\.tmp-(\d+)\.({NEW}|{OLD})\.{re.escape(target.name)}")
    matches = filter(None, (name.fullmatch(entry) for entry in os.listdir(target.parent)))
    # Old content first, because the new content next to it is needed as its proof.
    for match in sorted(matches, key=lambda match: match[2] != OLD):
        sibling = target.with_name(match[0])
        if not _is_own(sibling) or _alive(int(match[1])):
            continue
        if not sibling.is_dir():
            sibling.unlink(missing_ok=True)
            continue
        with locked_directory(sibling) as free:
            if not free:
                continue
            if match[2] == NEW or target.exists():
                shutil.rmtree(sibling, ignore_errors=True)
            elif _is_own(target.with_name(f".tmp-{match[1]}.{NEW}.{target.name}")):
                sibling.rename(target)
            else:
                _log.warning(
                    "%s is not moved back to %s: it may not be yours; rename it, or remove it",
                    *(sibling, target.name),
                )


def _is_own(path: Path) -> bool:
    """Returns whether this user owns a file or folder; never a link, which may lead anywhere."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)


def _alive(pid: int) -> bool:
    """Returns whether another process with this id runs."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the process of another user
        pass
    return True


def _place(temporary: Path, target: Path) -> None:
    """Renames `temporary`, unless another process has made `target` meanwhile."""
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise _exists(target) from error
        raise


def _swap(temporary: Path, target: Path) -> None:
    """Replaces `target` by `temporary`, and then removes the old content."""
    old = _sibling(target, OLD)
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
