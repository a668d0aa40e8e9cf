"""Reads CSVs from outside."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path

from tfrecords_tools.errors import InputError


@contextlib.contextmanager
def open_csv(path: Path) -> Iterator[csv.DictReader[str]]:
    """Opens a CSV in UTF-8, with or without a byte order mark.

    Raises:
        InputError: the file cannot be read as such a CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.DictReader(file)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a UTF-8 CSV: {error}") from error
