"""Extra columns: turns cells of a table into typed values."""

from __future__ import annotations

import re
from collections import Counter

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import FLOAT, INT, MISSING, RESERVED_NAMES, TEXT, Column, Value

MAX_FLOAT32 = (2 - 2**-23) * 2.0**127
MISSING_CELLS = frozenset(
    ("", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none", "#n/a n/a")
)
"""Cells without a value, in lower case; as in pandas."""
WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)\.0*")
"""A whole number as pandas writes it in a column that has missing values."""


def parse_columns(text: str) -> tuple[Column, ...]:
    """Parses columns such as `age:float,sex,localization`; the default kind is text.

    Raises:
        InputError: a name or a kind cannot be used.
    """
    parts = (part.partition(":") for part in text.split(","))
    columns = tuple(Column(name.strip(), kind.strip() or TEXT) for name, _, kind in parts)
    check_columns(columns)
    return columns


def check_columns(columns: tuple[Column, ...]) -> None:
    """Checks names and kinds.

    Raises:
        InputError: a name is no identifier, reserved or repeated, or a kind is unknown.
    """
    names = Counter(column.name for column in columns)
    for name, kind in ((column.name, column.kind) for column in columns):
        if not (name.isascii() and name.isidentifier()) or name in RESERVED_NAMES:
            raise InputError(
                f"extra column {name!r}: the name must be letters, digits and _, no digit first, "
                f"and none of {', '.join(RESERVED_NAMES)}: rename it in the table"
            )
        if kind not in MISSING:
            raise InputError(
                f"extra column {name!r} has kind {kind!r}; there are {', '.join(MISSING)}"
            )
        if names[name] > 1:
            raise InputError(f"extra column {name!r} is given twice: name it once")


def is_missing(cell: str) -> bool:
    """Returns whether a cell has no value."""
    return cell.strip().lower() in MISSING_CELLS


def parse_cell(cell: str, column: Column, place: str) -> Value:
    """Parses a cell of the row at `place`; one without a value gives `MISSING` of its kind.

    Raises:
        InputError: the cell cannot be read as the column's kind.
    """
    text = cell.strip()
    if is_missing(text):
        return MISSING[column.kind]
    try:
        if column.kind != TEXT and "_" in text:
            raise ValueError("a number has no underscore")
        if column.kind == INT and (whole := WHOLE_NUMBER.fullmatch(text)):
            text = whole[1]
        value = {TEXT: str, INT: int, FLOAT: float}[column.kind](text)
        if column.kind == FLOAT and not abs(value) <= MAX_FLOAT32:
            raise ValueError("a float must be finite and fit 32 bits, or be blank if it is missing")
        if column.kind == INT and not MISSING[INT] <= value < 2**63:
            raise ValueError(f"an int must be in [0, 2**63), or {MISSING[INT]} if it is missing")
    except ValueError as error:
        raise InputError(f"{place}: {column.name} is {cell!r}: {error}") from error
    return value
