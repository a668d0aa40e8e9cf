"""Reads labels from tables with one row per image; labels are names or one-hot columns.

Groups, splits and other columns may be in a second table, the metadata, as in the ISIC 2019
challenge. Rows of the two tables are joined by the id.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import is_missing, parse_cell
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import listing
from tfrecords_tools.sources.csv_reading import open_csv
from tfrecords_tools.sources.files import list_files
from tfrecords_tools.sources.listing import ImageRecord, Rejection, Source
from tfrecords_tools.sources.match_ids import match_ids
from tfrecords_tools.sources.split_values import (
    SPLIT_EXCLUDED,
    SplitColumn,
    parse_split_values,
)
from tfrecords_tools.text import abbreviate, normalise

Problem = tuple[str, str]
"""Reason and detail of a rejection."""


def from_tables(images: Path, labels: Path, options: BuildOptions) -> Source:
    """Reads label, group, split and extra columns of each image from one or two CSVs.

    An id names a file by its path below `images` or by its name, with or without the suffix. Both
    are compared in Unicode's composed form (NFC).

    Raises:
        InputError: a file, folder or column is missing, an id fits no file or several, two rows of
            one image differ, a cell cannot be read, or two labels or file names become one.
    """
    found, rejections = list_files(images)
    tables = _Tables(labels, options)
    others = [rejection.file for rejection in rejections]
    files = match_ids(tables.rows, found, others, labels)
    known = set(found)
    records = []
    for image_id, (record, problem) in tables.rows.items():
        file = files[image_id]
        if file not in known:
            continue  # already rejected
        if problem:
            rejections.append(Rejection(file, *problem))
        else:
            records.append(dataclasses.replace(record, file=file))
    named = set(files.values())
    for file in found:
        if file not in named:
            detail = f"no row of {labels.name} names it"
            rejections.append(Rejection(file, "label_missing", detail))
    names, columns = tables.class_names, options.columns
    return listing.make_source(images, records, rejections, labels=names, columns=columns)


class _Tables:
    """Both CSVs, read and joined.

    Attributes:
        rows: by image id, in the order of the labels: the image without its file, and its problem.
        class_names: names of all classes in the table of labels.
    """

    def __init__(self, labels: Path, options: BuildOptions) -> None:
        self._options = options
        self.labels = labels
        self._metadata_path = Path(options.metadata) if options.metadata else None
        self._header = _header(labels, options.id_column)
        self._one_hot = self._one_hot_columns()
        self._metadata = self._read_metadata()
        self._splits: SplitColumn | None = None
        if options.split_column:
            meanings = parse_split_values(options.split_values)
            self._splits = SplitColumn(options.split_column, meanings)
        self._raw_labels: dict[str, set[str]] = defaultdict(set)
        for name in self._one_hot:
            self._raw_labels[normalise(name)].add(name)
        self.rows = self._read()
        if self._splits:
            self._splits.check(labels)
        self._check_joined()
        self._check_groups()
        listing.check_collisions(self._raw_labels)
        self.class_names = frozenset(self._raw_labels)

    def _read(self) -> dict[str, tuple[ImageRecord, Problem | None]]:
        rows: dict[str, tuple[ImageRecord, Problem | None]] = {}
        for number, image_id, cells in _read_rows(self.labels, self._options.id_column):
            row = self._row(f"{self.labels}, line {number}", image_id, cells)
            if (known := rows.setdefault(image_id, row)) != row:
                raise InputError(
                    f"{self.labels} has two rows of {image_id!r} that differ: "
                    f"{_cells(known[0])} and {_cells(row[0])}"
                )
        return rows

    def _check_joined(self) -> None:
        if self._metadata_path is not None and not self._metadata.keys() & self.rows.keys():
            known, other = next(iter(self.rows), "none"), next(iter(self._metadata), "none")
            raise InputError(
                f"{self._metadata_path} and {self.labels} have no id in common: the one has "
                f"{other!r}, the other {known!r}: write both in the same way"
            )

    def _check_groups(self) -> None:
        """Checks that the id of an image without a group is not the name of a group."""
        records = [record for record, _ in self.rows.values()]
        groups = {record.group for record in records if record.has_group}
        for record in records:
            if not record.has_group and record.image_id in groups:
                raise InputError(
                    f"{self.labels}: image {record.image_id!r} has no group, and its id, which "
                    "replaces the group, is the group of other images: give it a group"
                )

    def _row(
        self, place: str, image_id: str, cells: Mapping[str, str]
    ) -> tuple[ImageRecord, Problem | None]:
        # If both tables have a column, that of the labels counts.
        joined = {**self._metadata.get(image_id, {}), **cells}
        label, problem = self._label(place, cells)
        group_column, split_column = self._options.group_column, self._options.split_column
        split_cell = joined.get(split_column or "", "")
        split = self._splits.read(split_cell, place) if self._splits else None
        if split == "":
            detail = f"its cell of {split_column} means no split"
            problem = problem or (SPLIT_EXCLUDED, detail)
        group_cell = joined.get(group_column, "") if group_column else ""
        group = "" if is_missing(group_cell) else normalise(group_cell)
        extras = tuple(
            parse_cell(joined.get(column.name, ""), column, place)
            for column in self._options.columns
        )
        record = ImageRecord("", image_id, label, group or image_id, split, extras, bool(group))
        return record, problem

    def _label(self, place: str, cells: Mapping[str, str]) -> tuple[str, Problem | None]:
        """Returns the label of a row, and the reason and detail if it has no label."""
        if self._one_hot:
            marked = [column for column in self._one_hot if _marked(place, column, cells[column])]
            if len(marked) > 1:
                return "", ("label_conflict", f"its row marks {' and '.join(marked)}")
            raw = marked[0] if marked else ""
            missing = f"its row of {self.labels.name} marks no class"
        else:
            raw = cells[self._options.label_column]
            found = repr(raw) if raw.strip() else "empty"
            missing = f"{self._options.label_column} is {found}"
        label = normalise(raw)
        if not label or (is_missing(label) and not self._one_hot):
            return "", ("label_missing", missing)
        self._raw_labels[label].add(raw)
        return label, None

    def _read_metadata(self) -> dict[str, dict[str, str]]:
        """Returns the requested cells of the second table, by image id; checks all columns."""
        path, header, tables = self._metadata_path, self._header, str(self.labels)
        if path is not None:
            header = [*header, *_header(path, self._options.id_column)]
            tables = f"{tables} and {path}"
        if missing := [column for column in self._optional_columns() if column not in header]:
            raise InputError(f"no column {missing[0]!r} in {tables}; there are {', '.join(header)}")
        rows: dict[str, dict[str, str]] = {}
        for _, image_id, cells in _read_rows(path, self._options.id_column) if path else ():
            row = {column: cells[column] for column in self._optional_columns() if column in cells}
            if rows.setdefault(image_id, row) != row:
                raise InputError(f"{path} has two rows of {image_id!r} that differ: keep one")
        return rows

    def _optional_columns(self) -> list[str]:
        """Returns the requested columns that either table may have."""
        options = self._options
        names = (options.group_column, options.split_column)
        return [*filter(None, names), *(column.name for column in options.columns)]

    def _one_hot_columns(self) -> list[str]:
        if not self._options.one_hot:
            _check_column(self._options.label_column, self.labels, self._header)
            return []
        others = {self._options.id_column, *self._optional_columns()}
        # pandas writes the row number as a column without a name.
        columns = [column for column in self._header if column and column not in others]
        if len(columns) < 2:
            raise InputError(f"{self.labels} has no one-hot columns besides {', '.join(others)}")
        return columns


def _header(path: Path, id_column: str) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the CSV that holds the labels")
    with open_csv(path) as reader:
        header = list(reader.fieldnames or ())
    if twice := sorted(column for column, count in Counter(header).items() if count > 1):
        raise InputError(f"{path} has two columns called {abbreviate(twice)}: rename one")
    _check_column(id_column, path, header)
    return header


def _check_column(column: str, path: Path, header: Collection[str]) -> None:
    if column not in header:
        names = abbreviate(list(header)) or "none"
        raise InputError(f"{path} has no column {column!r}; it has {names}")


def _read_rows(path: Path, id_column: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yields line number, id and cells of each row; cells that a short row lacks are blank."""
    with open_csv(path) as reader:
        reader.restval = ""
        for row in reader:
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


def _marked(place: str, column: str, cell: str) -> bool:
    try:
        value = float(cell or 0)
    except ValueError:
        value = -1.0
    if value not in (0.0, 1.0):
        raise InputError(f"{place}: one-hot column {column} must be 0 or 1, got {cell!r}")
    return value == 1.0


def _cells(record: ImageRecord) -> str:
    group = record.group if record.has_group else ""
    cells = (record.label, group, record.split, *record.extras)
    return repr(tuple(cell for cell in cells if cell is not None))
