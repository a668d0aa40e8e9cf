"""Reads CSVs from outside: UTF-8, strict quotation marks, commas, semicolons or tabs."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from tfrecords_tools.errors import InputError

DELIMITERS = (",", ";", "\t")
SEPARATOR_LINE = re.compile(r"sep=(?P<delimiter>[^\w\s\"]|\t)(?P=delimiter)*\r?\n?", re.IGNORECASE)
"""First line by which Excel takes a delimiter; it is no row. Spreadsheets fill it up with empty
cells."""
LONGEST_SEPARATOR_LINE = 1 << 16
"""Characters of that line with its empty cells; no more of a first line without an end is read."""
OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip archive: unpack it",
    b"PK\x03\x04": "an Excel workbook or a ZIP archive: save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV in UTF-8",
    b"PAR1": "a Parquet file: write its table as CSV",
    b"\xff\xfe": 'text in UTF-16, as Excel\'s "Unicode Text" is: save it as CSV in UTF-8',
    b"\xfe\xff": "text in UTF-16: save it as CSV in UTF-8",
    b"[{": "JSON: write its table as CSV",
    b'{"': "JSON: write its table as CSV",
}
"""First bytes of files that are given in place of a CSV, and what to do."""
LAST_BYTES = {
    b"PAR1": re.compile(rb"PAR1\Z"),
    b"[{": re.compile(rb"\]\s*\Z"),
    b'{"': re.compile(rb"\}\s*\Z"),
}
"""What else those files end with whose first bytes may also be the name of a column."""
TAIL = 64
"""Bytes at the end of a file that are looked at."""
UNNAMED = re.compile(r"(?:Unnamed: [0-9]+)?")
"""Name of a column that spreadsheets and pandas add; it holds nothing, or the row number."""


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How the cells of a CSV are divided.

    Attributes:
        delimiter: between the cells.
        skipinitialspace: whether blanks after the delimiter, as in the header, do not count.
    """

    delimiter: str
    skipinitialspace: bool = False


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """A CSV with a header row.

    Attributes:
        path: of the file.
        dialect: how its cells are divided.
        header: names of the columns, stripped of blanks.
    """

    path: Path
    dialect: Dialect
    header: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that have a name."""
        return tuple(name for name in self.header if not UNNAMED.fullmatch(name))

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yields line number and cells of each row below the header; leaves out blank lines.

        Raises:
            InputError: the file is not UTF-8, or a quotation mark is not closed.
        """
        rows = _rows(self.path, self.dialect)
        next(rows, None)
        yield from rows

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yields line number and cells by column; cells that a short row lacks are blank.

        Raises:
            InputError: as `lines`, or a row has more cells than the header.
        """
        width, named = len(self.header), set(self.columns)
        for line, cells in self.lines():
            if any(cell.strip() for cell in cells[width:]):
                raise InputError(
                    f"{self.path}, line {line} has more cells than the header: a comma in a text "
                    "needs quotes around the text"
                )
            cells += [""] * (width - len(cells))
            pairs = zip(self.header, cells[:width], strict=True)
            yield line, {name: cell for name, cell in pairs if name in named}


def read_csv(path: Path, *expected: str) -> CsvTable:
    """Reads the header of a CSV; `expected` columns tell the delimiter.

    Raises:
        InputError: the file is of another format or not UTF-8, its header cannot be read, or two
            columns have one name.
    """
    _check_format(path)
    headers = {delimiter: _header(path, delimiter) for delimiter in _delimiters(path)}
    names = {delimiter: tuple(cell.strip() for cell in headers[delimiter]) for delimiter in headers}
    delimiter = max(names, key=lambda each: (len({*names[each]} & {*expected}), len(names[each])))
    if not names[delimiter]:
        next(_rows(path, Dialect(delimiter)), None)  # raises what is wrong
    blanks = any(cell.startswith(" ") for cell in headers[delimiter][1:])
    table = CsvTable(path, Dialect(delimiter, skipinitialspace=blanks), names[delimiter])
    if twice := sorted(name for name, count in Counter(table.columns).items() if count > 1):
        raise InputError(f"{path} has two columns called {', '.join(twice)}: rename one")
    return table


def _check_format(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(len(head), path.stat().st_size - TAIL))
        tail = file.read(TAIL)
    for start, what in OTHER_FORMATS.items():
        if head.startswith(start) and _ends_like(start, tail):
            raise InputError(f"{path} is no CSV but {what}")


def _ends_like(start: bytes, tail: bytes) -> bool:
    """Returns whether the last bytes of a file are those of the format with these first bytes."""
    return start not in LAST_BYTES or LAST_BYTES[start].search(tail) is not None


def _delimiters(path: Path) -> tuple[str, ...]:
    """Returns the delimiter that the file names in its first line, or all that are usual."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        named = _separator_line(file)
    return (named["delimiter"],) if named else DELIMITERS


def _separator_line(file: TextIO) -> re.Match[str] | None:
    """Returns the first line if it is a `SEPARATOR_LINE`; a file without one stays at its start."""
    found = SEPARATOR_LINE.fullmatch(file.readline(LONGEST_SEPARATOR_LINE))
    if not found:
        file.seek(0)
    return found


def _header(path: Path, delimiter: str) -> list[str]:
    """Returns the cells of the first row; none if it cannot be read."""
    try:
        return next(_rows(path, Dialect(delimiter)), (1, []))[1]
    except InputError:
        return []


def _rows(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yields the line where each row begins, and its cells."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            skipped = 1 if _separator_line(file) else 0
            lines: list[str] = []  # of one row
            reader = csv.reader(_kept(file, lines), strict=True, **dataclasses.asdict(dialect))
            width = 0
            while True:
                line = reader.line_num + skipped + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise InputError(
                        f"{path}, line {line} cannot be read ({error}): write a quotation mark "
                        "within a cell twice, and close each cell that begins with one"
                    ) from error
                if any("\0" in each for each in lines):
                    raise InputError(
                        f"{path}, line {line} holds NUL characters, as UTF-16 and damaged files "
                        "do: save it as CSV in UTF-8"
                    )
                width = width or len(cells)
                if _swallows_rows(lines, dialect.delimiter, width):
                    raise InputError(
                        f"{path}, line {line}: a cell in quotation marks goes on to line "
                        f"{reader.line_num + skipped} and holds whole rows: close the quotation "
                        "mark"
                    )
                lines.clear()
                if cells:
                    yield line, cells
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} cannot be read as a UTF-8 CSV ({error}): save it as CSV in UTF-8"
        ) from error


def _kept(file: Iterable[str], lines: list[str]) -> Iterator[str]:
    """Yields the lines of a file, and adds each to `lines`."""
    for line in file:
        lines.append(line)
        yield line


def _swallows_rows(lines: Sequence[str], delimiter: str, width: int) -> bool:
    """Returns whether further lines of one row look like rows: in their width and first cell."""
    if width < 2 or len(lines) < 2:
        return False
    first, *others = (_shape(line.split(delimiter, 1)[0]) for line in lines)
    whole = [line.count(delimiter) == width - 1 for line in lines[1:]]
    return any(shape == first for shape, alike in zip(others, whole, strict=True) if alike)


def _shape(cell: str) -> str:
    """Returns a cell with one sign for each word, number or hash."""
    text = re.sub("[0-9A-Fa-f]{8,}", "#", cell.strip(' "'))
    return re.sub("[0-9]+", "0", re.sub(r"[^\W\d]+", "a", text))
