"""Writes CSVs that every program reads in the same way."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable


def csv_bytes(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    r"""Returns a CSV in UTF-8, with commas and `columns` as its header; lines end with a line feed.

    Characters that UTF-8 cannot encode are written as `\udcNN`.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    # Python 3.11 does not quote a carriage return.
    quoting = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in itertools.chain([columns], rows):
        cells = list(row)
        has_return = any("\r" in cell for cell in cells if isinstance(cell, str))
        (quoting if has_return else writer).writerow(cells)
    return buffer.getvalue().encode("utf-8", "backslashreplace")
