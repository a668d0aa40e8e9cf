"""Tables beside a folder of images: one row per image, labels as names or one-hot.

The table of labels may leave groups, splits and other columns to a second one, the metadata, as
the ISIC 2019 challenge does. Rows of the two are joined by the id.
"""

from __future__ import annotations

import csv
import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import is_missing, parse_cell
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.records.schema import SPLITS, Value
from tfrecords_tools.sources.files import walk
from tfrecords_tools.sources.folders import as_split
from tfrecords_tools.sources.listing import (
    ImageRecord,
    Rejection,
    Source,
    check_collisions,
    make_source,
)
from tfrecords_tools.sources.match_ids import match
from tfrecords_tools.text import normalise


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """What the tables say of one image; label and its problem exclude each other.

    A blank group is none.
    """

    label: str
    problem: tuple[str, str] | None
    group: str
    split: str | None
    extras: tuple[Value, ...]

    def record(self, file: str, image_id: str) -> ImageRecord:
        group = self.group or image_id
        return ImageRecord(
            file, image_id, self.label, group, self.split, self.extras, bool(self.group)
        )


def from_tables(images: Path, labels: Path, options: BuildOptions) -> Source:
    """Takes label, group, split and extra columns of each image from one or two CSVs.

    An id names a file by its path below `images` or by its name, with or without the suffix; both
    are compared in Unicode's composed form (NFC).

    Raises:
        InputError: no such file or folder, a missing column, a row without a file or with a file
            that several images could be, two rows of one image that differ, a cell that cannot
            be read, two names that are one label, or two files whose names are one.
    """
    found, rejections = walk(images)
    tables = _Tables(labels, options)
    files = match(tables.rows, found, [rejection.file for rejection in rejections], tables.labels)
    known = set(found)
    records = []
    for image_id, row in tables.rows.items():
        file = files[image_id]
        if file not in known:
            continue  # it was rejected above, for a reason of its own
        if row.problem:
            rejections.append(Rejection(file, *row.problem))
        else:
            records.append(row.record(file, image_id))
    named = set(files.values())
    for file in found:
        if file not in named:
            detail = f"no row of {tables.labels.name} names it"
            rejections.append(Rejection(file, "label_missing", detail))
    return make_source(
        images, records, rejections, labels=tables.class_names, columns=options.columns
    )


class _Tables:
    """Both CSVs, read and joined.

    Attributes:
        labels: path of the table of labels.
        rows: by image id, in the order of that table.
        class_names: of all classes that it knows.
    """

    def __init__(self, labels: Path, options: BuildOptions) -> None:
        self._options = options
        self.labels = labels
        self._metadata_path = Path(options.metadata) if options.metadata else None
        self._header = _header(self.labels)
        self._metadata = self._read_metadata()
        self._one_hot = self._one_hot_columns()
        self._check_columns()
        self._raw_labels: dict[str, set[str]] = defaultdict(set)
        for name in self._one_hot:
            self._raw_labels[normalise(name)].add(name)
        self.rows = self._read()
        self._check_joined()
        self._check_groups()
        check_collisions(self._raw_labels)
        self.class_names = frozenset(self._raw_labels)

    def _read(self) -> dict[str, _Row]:
        rows: dict[str, _Row] = {}
        for number, image_id, cells in _read_rows(self.labels, self._options.id_column):
            row = self._row(f"{self.labels}, line {number}", image_id, cells)
            if (known := rows.setdefault(image_id, row)) != row:
                raise InputError(
                    f"{self.labels} has two rows of {image_id!r} that differ: "
                    f"{_told(known)} and {_told(row)}"
                )
        return rows

    def _check_joined(self) -> None:
        """Fails where no row of the metadata is of any image: the ids are written in two ways."""
        if self._metadata_path is not None and not self._metadata.keys() & self.rows.keys():
            known, other = next(iter(self.rows), "none"), next(iter(self._metadata), "none")
            raise InputError(
                f"{self._metadata_path} and {self.labels} have no id in common: the one has "
                f"{other!r}, the other {known!r}: write both in the same way"
            )

    def _check_groups(self) -> None:
        """Fails where an image without a group has the name of a group as its id."""
        groups = {row.group for row in self.rows.values() if row.group}
        for image_id, row in self.rows.items():
            if not row.group and image_id in groups:
                raise InputError(
                    f"{self.labels}: image {image_id!r} has no group, and its id, which stands in "
                    "for one, is the group of other images: give it a group"
                )

    def _row(self, place: str, image_id: str, cells: Mapping[str, str]) -> _Row:
        # The table of labels comes first where both have a column.
        joined = {**self._metadata.get(image_id, {}), **cells}
        label, problem = self._label(place, cells)
        group_column, split_column = self._options.group_column, self._options.split_column
        return _Row(
            label=label,
            problem=problem,
            group=_group(joined.get(group_column, "")) if group_column else "",
            split=_split(place, joined.get(split_column, "")) if split_column else None,
            extras=tuple(
                parse_cell(joined.get(column.name, ""), column, place)
                for column in self._options.columns
            ),
        )

    def _label(self, place: str, cells: Mapping[str, str]) -> tuple[str, tuple[str, str] | None]:
        """The label of a row, or why it has none."""
        if self._one_hot:
            marked = [column for column in self._one_hot if _marked(place, column, cells[column])]
            if len(marked) > 1:
                return "", ("label_conflict", f"its row marks {' and '.join(marked)}")
            raw = marked[0] if marked else ""
            missing = f"its row of {self.labels.name} marks no class"
        else:
            raw = cells[self._options.label_column]
            told = repr(raw) if raw.strip() else "empty"
            missing = f"{self._options.label_column} is {told}"
        label = normalise(raw)
        if not label or (is_missing(label) and not self._one_hot):
            return "", ("label_missing", missing)
        self._raw_labels[label].add(raw)
        return label, None

    def _read_metadata(self) -> dict[str, dict[str, str]]:
        """The cells that are asked for, by image id."""
        if self._metadata_path is None:
            return {}
        wanted = set(self._asked()) & set(_header(self._metadata_path))
        rows: dict[str, dict[str, str]] = {}
        for _, image_id, cells in _read_rows(self._metadata_path, self._options.id_column):
            row = {column: cells[column] for column in wanted}
            if rows.setdefault(image_id, row) != row:
                raise InputError(f"{self._metadata_path} has two rows of {image_id!r} that differ")
        return rows

    def _asked(self) -> list[str]:
        """Columns that either table may have."""
        options = self._options
        names = (options.group_column, options.split_column)
        return [*filter(None, names), *(column.name for column in options.columns)]

    def _one_hot_columns(self) -> list[str]:
        if not self._options.one_hot:
            return []
        others = {self._options.id_column, *self._asked()}
        # A column without a name is the row number, as pandas writes it.
        columns = [column for column in self._header if column and column not in others]
        if len(columns) < 2:
            raise InputError(f"{self.labels} has no one-hot columns beside {', '.join(others)}")
        return columns

    def _check_columns(self) -> None:
        needed = [self._options.id_column]
        if not self._options.one_hot:
            needed.append(self._options.label_column)
        _check_header(self.labels, needed, self._header)
        header, where = self._header, str(self.labels)
        if self._metadata_path is not None:
            more = _header(self._metadata_path)
            _check_header(self._metadata_path, [self._options.id_column], more)
            header, where = [*header, *more], f"{where} and {self._metadata_path}"
        for column in self._asked():
            if column not in header:
                raise InputError(f"no column {column!r} in {where}; there are {', '.join(header)}")


def _header(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the CSV that holds the labels")
    with _reading(path), path.open(encoding="utf-8-sig", newline="") as file:
        header = list(csv.DictReader(file).fieldnames or ())
    if twice := sorted({column for column in header if header.count(column) > 1}):
        raise InputError(f"{path} has two columns called {', '.join(twice)}: rename one")
    return header


def _check_header(path: Path, columns: Iterable[str], header: Collection[str]) -> None:
    for column in columns:
        if column not in header:
            raise InputError(
                f"{path} has no column {column!r}; it has {', '.join(header) or 'none'}"
            )


def _read_rows(path: Path, id_column: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line number, id and cells of each row; cells that a short row lacks are blank."""
    _check_header(path, [id_column], _header(path))
    with _reading(path), path.open(encoding="utf-8-sig", newline="") as file:
        for row in (reader := csv.DictReader(file, restval="")):
            if any(row.pop(None, ())):
                raise InputError(
                    f"{path}, line {reader.line_num} has more cells than the header: a comma in a "
                    "text needs quotes around the text"
                )
            image_id = normalise(row[id_column])
            if not image_id:
                raise InputError(
                    f"{path}, line {reader.line_num} is a row without an id: fill it in or drop it"
                )
            yield reader.line_num, image_id, row


class _reading:
    """Turns what a CSV reader says of a file into one clear error."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, UnicodeDecodeError | csv.Error):
            raise InputError(f"{self.path} cannot be read as a UTF-8 CSV: {error}") from error


def _group(cell: str) -> str:
    """The group that a cell names; blank where it names none."""
    return "" if is_missing(cell) else normalise(cell)


def _split(place: str, cell: str) -> str:
    split = as_split(cell)
    if split is None:
        raise InputError(f"{place}: split is {cell!r}, it must be one of {', '.join(SPLITS)}")
    return split


def _marked(place: str, column: str, cell: str) -> bool:
    try:
        value = float(cell or 0)
    except ValueError:
        value = -1.0
    if value not in (0.0, 1.0):
        raise InputError(f"{place}: one-hot column {column} must be 0 or 1, got {cell!r}")
    return value == 1.0


def _told(row: _Row) -> str:
    cells = (row.label, row.group, row.split, *row.extras)
    return repr(tuple(cell for cell in cells if cell is not None))
