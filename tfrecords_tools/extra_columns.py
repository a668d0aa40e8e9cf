"""Extra columns: how a cell of a table becomes a typed value."""

from __future__ import annotations

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import FLOAT, INT, MISSING, RESERVED, TEXT, Column, Value

GREATEST_FLOAT = (2 - 2**-23) * 2.0**127
"""That 32 bits hold."""
MISSING_CELLS = frozenset(("", "na", "n/a", "nan", "null", "none"))
"""Cells that say that there is no value, in small letters, as pandas takes them."""


def parse_columns(text: str) -> tuple[Column, ...]:
    """Columns from `age:float,sex,localization`; text where no kind is given.

    Raises:
        InputError: it does not read like that, or a name is taken.
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
        InputError: a name that is no identifier, is taken or occurs twice, or an unknown kind.
    """
    names = [column.name for column in columns]
    for column in columns:
        if not (column.name.isascii() and column.name.isidentifier()) or column.name in RESERVED:
            raise InputError(
                f"extra column {column.name!r}: the name must be letters, digits and _, no digit "
                f"first, and none of {', '.join(RESERVED)}: rename it in the table"
            )
        if column.kind not in MISSING:
            raise InputError(
                f"extra column {column.name!r} has kind {column.kind!r}; there are "
                f"{', '.join(MISSING)}"
            )
        if names.count(column.name) > 1:
            raise InputError(f"extra column {column.name!r} is asked for twice")


def is_missing(cell: str) -> bool:
    """Whether a cell is blank or says that there is no value."""
    return cell.strip().lower() in MISSING_CELLS


def parse_cell(cell: str, column: Column, place: str) -> Value:
    """The value of a cell; `MISSING` of its kind where it is blank or says so.

    Args:
        cell: as it stands in the table.
        column: that it stands in.
        place: of the row, for messages.

    Raises:
        InputError: it cannot be read as the column's kind.
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
    if not abs(value) <= GREATEST_FLOAT:
        raise ValueError("a float must be finite and fit 32 bits, or be blank where it is missing")
    return value


def _natural(value: int) -> int:
    if not 0 <= value < 2**63:
        raise ValueError(f"an int must be in [0, 2**63), for {MISSING[INT]} means missing")
    return value
