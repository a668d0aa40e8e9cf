"""Writes CSVs that every program reads in the same way."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet computes a cell that begins so; the last four are their wide forms."""


def csv_bytes(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    r"""Returns a CSV in UTF-8, with commas and `columns` as its header; lines end with a line feed.

    Each cell is exact, because a program reads it back: a spreadsheet may compute a cell such as
    `=1+1`. For people use `spreadsheet_csv`. Characters that UTF-8 cannot encode are written as
    `\udcNN`.
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


def spreadsheet_csv(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Returns a CSV that people may open in a spreadsheet; for the format see `csv_bytes`.

    A text that a spreadsheet would compute has an apostrophe before it: `'=1+1`.
    """
    return csv_bytes(columns, ([_inert(cell) for cell in row] for row in rows))


def _inert(cell: object) -> object:
    """Returns a cell as text; numbers are no formulas."""
    if not isinstance(cell, str) or not cell.lstrip(" ").startswith(FORMULA_STARTS):
        return cell
    return cell if _is_number(cell) else f"'{cell}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
