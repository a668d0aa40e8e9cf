"""Extra columns: turns cells of a table into typed values."""

from __future__ import annotations

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import FLOAT, INT, MISSING, RESERVED_NAMES, TEXT, Column, Value

MAX_FLOAT32 = (2 - 2**-23) * 2.0**127
MISSING_CELLS = frozenset(("", "na", "n/a", "nan", "null", "none"))
"""Cells without a value, in small letters; as in pandas."""


def parse_columns(text: str) -> tuple[Column, ...]:
    """Parses columns such as `age:float,sex,localization`; the default kind is text.

    Raises:
        InputError: a name or a kind cannot be used.
    """
    columns = []
    for part in text.split(","):
        name, _, kind = (word.strip() for word in part.partition(":"))
        columns.append(Column(name, kind or TEXT))
    check_columns(tuple(columns))
    return tuple(columns)


def check_columns(columns: tuple[Column, ...]) -> None:
    """Checks names and kinds.

    Raises:
        InputError: a name is no identifier, reserved or repeated, or a kind is unknown.
    """
    names = [column.name for column in columns]
    for column in columns:
        if (
            not (column.name.isascii() and column.name.isidentifier())
            or column.name in RESERVED_NAMES
        ):
            raise InputError(
                f"extra column {column.name!r}: the name must be letters, digits and _, no digit "
                f"first, and none of {', '.join(RESERVED_NAMES)}: rename it in the table"
            )
        if column.kind not in MISSING:
            raise InputError(
                f"extra column {column.name!r} has kind {column.kind!r}; there are "
                f"{', '.join(MISSING)}"
            )
        if names.count(column.name) > 1:
            raise InputError(f"extra column {column.name!r} is asked for twice")


def is_missing(cell: str) -> bool:
    """Whether a cell has no value."""
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
        if column.kind == FLOAT:
            return _finite(float(text))
        if column.kind == INT:
            return _natural(int(text))
    except ValueError as error:
        raise InputError(f"{place}: {column.name} is {cell!r}: {error}") from error
    return text


def _finite(value: float) -> float:
    if not abs(value) <= MAX_FLOAT32:
        raise ValueError("a float must be finite and fit 32 bits, or be blank where it is missing")
    return value


def _natural(value: int) -> int:
    if not 0 <= value < 2**63:
        raise ValueError(f"an int must be in [0, 2**63), because {MISSING[INT]} means missing")
    return value
