"""Resolves paths from outside."""

from __future__ import annotations

import os
from pathlib import Path


def real_path(path: str | os.PathLike[str]) -> Path:
    """Returns the absolute path without links; a link that leads to itself stays as it is.

    `Path.resolve` raises a RuntimeError for such a link before Python 3.13.
    """
    return Path(os.path.realpath(path))
