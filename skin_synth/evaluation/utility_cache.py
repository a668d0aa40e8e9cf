"""Arrays on disk by what they follow from, so that a killed study goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError

VERSION = 1
"""Part of every name: a change of the protocol makes old files unknown."""


class Cache:
    """Keeps what was computed; without a directory it keeps nothing."""

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        """Nothing is written yet.

        Args:
            directory: is made when it is needed; None keeps nothing.
        """
        self._directory = None if directory is None else Path(directory)

    def arrays(
        self, key: Mapping[str, Any], compute: Callable[[], Mapping[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """What `compute` gives, or gave when it was asked for with the same key.

        Args:
            key: all that the arrays follow from, as plain JSON values.
            compute: called where nothing is kept.

        Raises:
            InputError: a file of the cache cannot be read.
        """
        if self._directory is None:
            return dict(compute())
        path = self._directory / f"{name_of(key)}.npz"
        if not path.exists():
            found = dict(compute())
            with new_file(path) as temporary:
                np.savez(temporary, allow_pickle=False, **found)
            return found
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} is damaged ({error}): remove it, it is made anew") from error


def name_of(key: Mapping[str, Any]) -> str:
    """Sha256 of a key, 64 hexadecimal digits; the order of its entries does not matter."""
    text = json.dumps({"version": VERSION, **key}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def content_hash(*arrays: np.ndarray) -> str:
    """Sha256 over shapes, dtypes and bytes of arrays, in order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
