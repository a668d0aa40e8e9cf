"""Writes CSVs that every reader reads alike."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable


def csv_bytes(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    r"""Returns a CSV in UTF-8, with commas and a header; lines end with a line feed.

    Args:
        columns: the header.
        rows: cells of each row; what UTF-8 cannot encode is written as `\udcNN`.
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
