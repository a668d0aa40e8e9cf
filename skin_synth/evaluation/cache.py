"""Keeps results of slow stages on disk, by the hash of all inputs.

An evaluation that stopped resumes from here, and a repeated one reads its results. The cache may be
removed at any time, because everything in it can be computed again.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.npz_reading import read_npz

Arrays = Mapping[str, np.ndarray]
CACHE_VERSION = "1"
"""Part of every key; raise it when a stage computes another result from the same input."""
_LOG = logging.getLogger("skin_synth")


def default_cache(out: str | os.PathLike[str]) -> Path:
    """Returns the default cache of a report: `report.cache` next to `report`."""
    path = Path(out)
    return path.with_name(f"{path.name}.cache")


class Cache:
    """One file for each stage and key; a file is complete or does not exist."""

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        """Takes the directory, which the first entry creates; None keeps nothing.

        Raises:
            InputError: the path is a file.
        """
        self.directory = None if directory is None else Path(directory)
        if self.directory is not None and self.directory.is_file():
            raise InputError(f"{directory} is a file: give a directory by --cache")

    def path(self, stage: str, parts: tuple[object, ...], suffix: str = ".npz") -> Path | None:
        """Returns the file of an entry; None if nothing is kept.

        Args:
            stage: a word for the computation.
            parts: all inputs of the result; their text is part of the key.
            suffix: of the file.
        """
        if self.directory is None:
            return None
        text = "\n".join([CACHE_VERSION, stage, *map(str, parts)])
        return self.directory / f"{stage}-{hashlib.sha256(text.encode()).hexdigest()[:32]}{suffix}"

    def arrays(
        self, stage: str, parts: tuple[object, ...], compute: Callable[[], Arrays]
    ) -> dict[str, np.ndarray]:
        """Returns the result of `compute`, from disk if it was computed before; see `path`.

        An entry that lacks an array for which the caller asks is computed again.
        """
        path = self.path(stage, parts)
        if path is None:
            return dict(compute())

        def compute_and_keep() -> dict[str, np.ndarray]:
            made = dict(compute())
            with new_file(path) as file:
                np.savez(file, allow_pickle=False, **made)
            return made

        found = _read(path)
        return compute_and_keep() if found is None else _Entry(path, found, compute_and_keep)


class _Entry(dict[str, np.ndarray]):
    """The arrays of a file, which are all computed again if one is missing."""

    def __init__(self, path: Path, found: Arrays, compute: Callable[[], Arrays]) -> None:
        super().__init__(found)
        self._path, self._compute = path, compute

    def __missing__(self, name: str) -> np.ndarray:
        warn_unreadable(self._path, f"it has no array {name!r}")
        self.clear()
        self.update(self._compute())
        if name in self:
            return self[name]
        raise KeyError(name)


def warn_unreadable(path: Path, error: object) -> None:
    """Logs that an entry cannot be read and is computed again."""
    _LOG.warning("%s cannot be read (%s); it is computed again", path, error)


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        return read_npz(path)
    except FileNotFoundError:
        return None
    except InputError as error:
        warn_unreadable(path, error)
        return None
