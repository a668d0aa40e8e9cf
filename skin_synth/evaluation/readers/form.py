"""The files of a reader study: the key, and the answers of a reader."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tfrecords_tools.csv_writing import FORMULA_STARTS
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import ORIGIN_REAL, ORIGIN_SYNTHETIC
from tfrecords_tools.sources.csv_reading import CsvTable, read_csv

KEY_COLUMNS = ("number", "class", "origin", "source", "study")
ANSWER_COLUMNS = ("number", "class", "real_or_synthetic", "certainty_1_to_5", "remarks")
"""Of the form for a sheet on paper; `class` is the class of the heading."""
PAGE_COLUMNS = (
    *("study", "reader", "number", "position", "real_or_synthetic", "judged_class"),
    *("certainty_1_to_5", "seconds", "remarks"),
)
"""Of the answers that the page saves; `position` is the place in the order of the reader."""
CERTAINTIES = (1, 2, 3, 4, 5)
ORIGINS = (ORIGIN_REAL, ORIGIN_SYNTHETIC)
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class KeyItem:
    """One image of a study: its class and origin, and the id of a real image or a seed."""

    number: int
    class_name: str
    origin: str
    source: str


@dataclasses.dataclass(frozen=True)
class Key:
    """The key of a study.

    Attributes:
        items: the images by number.
        study: id of the study; empty for a key without one, of an earlier version.
    """

    items: Mapping[int, KeyItem]
    study: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the key."""
        return tuple(dict.fromkeys(item.class_name for item in self.items.values()))


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer of a reader to one image.

    Attributes:
        item: the image.
        origin: real or synthetic.
        judged_class: class that the reader sees; empty if there is none, or on paper.
        certainty: of the origin, from 1 to 5; None if the reader left it blank.
        seconds: time on the image; None on paper.
        position: place in the order of the reader, from 1; None on paper.
    """

    item: KeyItem
    origin: str
    judged_class: str
    certainty: int | None
    seconds: float | None
    position: int | None

    @property
    def right(self) -> bool:
        """Whether the origin is right."""
        return self.origin == self.item.origin


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one reader answered, in the order of the numbers; images without answer are left out."""

    reader: str
    answers: tuple[Answer, ...]


def read_key(path: str | os.PathLike[str]) -> Key:
    """Reads the key of a study.

    Raises:
        InputError: no such file, or it is not the key of a reader study.
    """
    table = _table(Path(path), *KEY_COLUMNS[:4])
    items, studies = {}, set()
    for line, cells in table.rows():
        number = _cell(table, line, "number", cells, int)
        if number in items:
            raise InputError(f"{path}, line {line}: number {number} is there twice")
        origin = _cell(table, line, "origin", cells, _origin)
        items[number] = KeyItem(number, _text(cells["class"]), origin, _text(cells["source"]))
        studies.add(_text(cells.get("study", "")))
    if {item.origin for item in items.values()} != set(ORIGINS):
        raise InputError(f"{path} needs real and synthetic images: give the key.csv of a study")
    if len(studies) > 1:
        raise InputError(f"{path} holds several studies: give the key.csv of one")
    return Key(items, studies.pop())


def read_readings(paths: Sequence[str | os.PathLike[str]], key: Key) -> list[Reading]:
    """Reads the answers of each reader.

    Raises:
        InputError: a file that is no form of answers, is of another study or has no answer; or two
            files of one reader.
    """
    found: dict[str, str | os.PathLike[str]] = {}
    readings = []
    for path in paths:
        reading = read_reading(path, key)
        if reading.reader in found:
            raise InputError(
                f"{found[reading.reader]} and {path} are both of reader {reading.reader!r}: give "
                "one of them, or rename the reader (column reader, or the file of a paper form)"
            )
        found[reading.reader] = path
        readings.append(reading)
    return readings


def read_reading(path: str | os.PathLike[str], key: Key) -> Reading:
    """Reads the answers that the page saved, or the form of a sheet on paper.

    Raises:
        InputError: no such file, a cell that is no answer, or a file of another study.
    """
    table = _table(Path(path), "number", "real_or_synthetic", "certainty_1_to_5")
    answers: dict[int, Answer] = {}
    seen, readers = set(), set()
    for line, cells in table.rows():
        readers.add(_text(cells.get("reader", "")) or Path(path).stem)
        number = _cell(table, line, "number", cells, int)
        study = _text(cells.get("study", ""))
        if number not in key.items or (study and key.study and study != key.study):
            raise InputError(f"{path}, line {line} is of another study than the key")
        if number in seen:
            raise InputError(f"{path}, line {line}: number {number} is there twice: keep one")
        seen.add(number)
        origin = _optional(table, line, "real_or_synthetic", cells, _origin)
        judged = _text(cells.get("judged_class", ""))
        if judged and judged not in key.class_names:
            classes = ", ".join(key.class_names)
            raise InputError(f"{path}, line {line}: judged_class must be of {classes}; {judged!r}")
        if origin is None:
            continue
        answers[number] = Answer(
            key.items[number],
            origin,
            judged,
            _optional(table, line, "certainty_1_to_5", cells, _certainty),
            _optional(table, line, "seconds", cells, float),
            _optional(table, line, "position", cells, int),
        )
    if not answers:
        raise InputError(f"{path} holds no answer in real_or_synthetic: let the reader fill it in")
    if len(readers) > 1:
        raise InputError(f"{path} has several readers: give one file for each")
    return Reading(readers.pop(), tuple(answers[number] for number in sorted(answers)))


def _table(path: Path, *expected: str) -> CsvTable:
    if not path.is_file():
        raise InputError(f"{path} is no file: give the answers of readers, then key.csv")
    table = read_csv(path, *expected)
    if lacking := [name for name in expected if name not in table.columns]:
        raise InputError(
            f"{path} has no column {lacking[0]!r}; it has {', '.join(table.columns)}. "
            "Give the answers of readers first, and key.csv last"
        )
    return table


def _cell(
    table: CsvTable, line: int, column: str, cells: Mapping[str, str], kind: Callable[[str], T]
) -> T:
    try:
        return kind(cells[column].strip())
    except ValueError as error:
        raise InputError(
            f"{table.path}, line {line}: {column} must be {_EXPECTED[column]}, "
            f"got {cells[column]!r}"
        ) from error


def _optional(
    table: CsvTable, line: int, column: str, cells: Mapping[str, str], kind: Callable[[str], T]
) -> T | None:
    """Returns a cell; None if it is blank or there is no such column."""
    return _cell(table, line, column, cells, kind) if cells.get(column, "").strip() else None


_EXPECTED = {
    "number": "the number of an image",
    "origin": "real or synthetic",
    "real_or_synthetic": "real or synthetic (r and s will do), or blank",
    "certainty_1_to_5": "a whole number from 1 to 5, or blank",
    "seconds": "a number, or blank",
    "position": "a whole number, or blank",
}


def _origin(text: str) -> str:
    """Returns the origin whose beginning this is, in small or capital letters."""
    for origin in ORIGINS:
        if text and origin.startswith(text.lower()):
            return origin
    raise ValueError(text)


def _certainty(text: str) -> int:
    if float(text) not in CERTAINTIES:  # a spreadsheet may write 4.0
        raise ValueError(text)
    return int(float(text))


def _text(cell: str) -> str:
    """Returns a text without the apostrophe of `spreadsheet_csv`."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text
