"""Results of slow stages on disk, by the hash of all that they depend on.

An evaluation that was stopped, or is asked for again, goes on from here. Nothing in the cache is
ever needed: it may be removed at any time.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError

Arrays = Mapping[str, np.ndarray]
VERSION = "1"
"""Part of every key: raise it when a stage computes something else from the same input."""


def content_hash(*arrays: np.ndarray) -> str:
    """Sha256 over shapes, dtypes and bytes of arrays, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def cache_beside(out: str | os.PathLike[str]) -> Path:
    """Where the cache of a report is by default: `report.cache` beside `report`."""
    path = Path(out)
    return path.with_name(f"{path.name}.cache")


class Cache:
    """Arrays by stage and key, one file each, which appears whole or not at all."""

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        """Takes the directory; it is made with the first entry.

        Args:
            directory: None keeps nothing.

        Raises:
            InputError: the path is a file.
        """
        self.directory = None if directory is None else Path(directory)
        self.hits = 0
        if self.directory is not None and self.directory.is_file():
            raise InputError(f"{directory} is a file: give a directory by --cache")

    def arrays(
        self, stage: str, parts: tuple[object, ...], compute: Callable[[], Arrays]
    ) -> dict[str, np.ndarray]:
        """What `compute` gives, from disk where it was computed before.

        Args:
            stage: a word for what is computed.
            parts: all that the result depends on; their text goes into the key.
            compute: gives named arrays.
        """
        if self.directory is None:
            return dict(compute())
        text = "\n".join([VERSION, stage, *map(str, parts)])
        path = self.directory / f"{stage}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
        found: dict[str, Any] | None = _read(path)
        if found is None:
            found = dict(compute())
            with new_file(path) as file:
                np.savez(file, **found)
        else:
            self.hits += 1
        return found


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an entry; None where there is none, or one that cannot be read."""
    if not path.exists():
        return None
    try:
        # NumPy leaves a file that it cannot read open, if it opened it.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as entry:
            return {name: entry[name] for name in entry.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        print(f"{path} cannot be read ({error}); it is computed again", file=sys.stderr)
        return None
