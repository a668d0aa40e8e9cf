"""Reads labels from tables with one row per image; labels are names or one-hot columns.

Groups, splits and other columns may be in a second table, the metadata, as in the ISIC 2019
challenge. Rows of the two tables are joined by the id, or by another column: MILK10k has a row of
labels for each lesion, and a row of metadata for each of its images.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import parse_cell
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import listing
from tfrecords_tools.sources.cells import ZERO, is_unknown_group, zero_is_a_group
from tfrecords_tools.sources.class_names import one_in_several_spellings
from tfrecords_tools.sources.csv_reading import CsvTable, read_csv
from tfrecords_tools.sources.files import list_files
from tfrecords_tools.sources.folders import folder_group, folder_split
from tfrecords_tools.sources.layout import Place, parse_layout
from tfrecords_tools.sources.listing import Finding, ImageRecord, Rejection, Source
from tfrecords_tools.sources.match_ids import match_ids
from tfrecords_tools.sources.row_labels import LABEL_MISSING, Problem, RowLabels, check_column
from tfrecords_tools.sources.split_values import SPLIT_EXCLUDED, SplitColumn, parse_split_values
from tfrecords_tools.text import abbreviate, normalise


def from_tables(
    images: Path, labels: Path, options: BuildOptions, named: Collection[str] = ()
) -> Source:
    """Reads label, group, split and extra columns of each image from one or two CSVs.

    An id names a file by its path below `images` or by its name, with or without the suffix. Both
    are compared in Unicode's composed form (NFC). `named` are names that the label map gives.

    Raises:
        InputError: a file, folder or column is missing, an id fits no file or several, two rows of
            one image differ, a cell cannot be read, or two labels or file names become one.
    """
    layout = parse_layout(options.folders, needs_class=False) if options.folders else None
    files = list_files(images, follow_links=options.follow_links)
    tables = _Tables(labels, options, named)
    matches = match_ids(tables.rows, files, images, labels)
    named_files = set(matches.files.values())
    # What a table names is wanted, whatever it is.
    rejections = [
        dataclasses.replace(each, wanted=each.wanted or each.file in named_files)
        for each in files.rejections
    ]
    known = set(files.found)
    records = []
    for image_id, (record, problem) in tables.rows.items():
        file = matches.files[image_id]
        if file not in known:
            continue  # already rejected
        if problem:
            wanted = problem[0] != SPLIT_EXCLUDED
            rejections.append(Rejection(file, *problem, wanted=wanted))
            continue
        place = layout.place(file) if layout else None
        records.append(_placed(dataclasses.replace(record, file=file), place or Place(), images))
    for file in files.found:
        if file in matches.copies:
            detail = f"the same bytes as {matches.copies[file]}"
            rejections.append(Rejection(file, "duplicate", detail, wanted=False))
        elif file not in named_files:
            detail = f"no row of {labels.name} names it"
            rejections.append(Rejection(file, LABEL_MISSING, detail))
    return listing.make_source(
        images,
        records,
        rejections,
        labels=tables.class_names,
        columns=options.columns,
        findings=(*files.findings, *tables.findings, *tables.label_findings),
    )


def _placed(record: ImageRecord, place: Place, images: Path) -> ImageRecord:
    """Returns a record with the group and split of its folders, where the tables give none."""
    if not record.has_group:
        group, has_group = folder_group(place.group, record.group)
        record = dataclasses.replace(record, group=group, has_group=has_group)
    if record.split is None:
        record = dataclasses.replace(record, split=folder_split(place.split, images))
    return record


class _Tables:
    """Both CSVs, read and joined.

    Attributes:
        rows: by image id, in the order of the labels: the image without its file, and its problem.
        class_names: names of all classes in the table of labels.
        findings, label_findings: what a person should know about the groups, and the labels.
    """

    def __init__(self, labels: Path, options: BuildOptions, named: Collection[str]) -> None:
        self._options = _stripped(options)
        self.labels = labels
        self._metadata_path = Path(options.metadata) if options.metadata else None
        self._table = _open(labels, self._join_column, self._options.label_column)
        self._second: CsvTable | None = None
        if self._metadata_path:
            self._second = _open(self._metadata_path, self._join_column, self._options.id_column)
        self._check_columns()
        others = {self._options.id_column, self._join_column, *self._optional_columns()}
        self._labels = RowLabels(self._table, self._options, others, named)
        self._ids: dict[str, list[str]] = defaultdict(list)
        self._metadata = self._read_metadata()
        self._splits: SplitColumn | None = None
        if self._options.split_column:
            meanings = parse_split_values(options.split_values)
            self._splits = SplitColumn(self._options.split_column, meanings)
        self._unknown_groups: Counter[str] = Counter()
        self.rows = self._read()
        if self._splits:
            self._splits.check(labels)
        self._check_joined()
        self._settle_zeros()
        self._check_groups()
        self.class_names, several = self._labels.finish()
        self.label_findings = tuple(self._labels.findings())
        for image_id, (record, _) in self.rows.items():
            if record.label in several:
                self.rows[image_id] = record, several[record.label]

    @property
    def findings(self) -> Iterator[Finding]:
        """What a person should know about the groups."""
        column = self._options.group_column
        if words := sorted(self._unknown_groups.items(), key=lambda item: (-item[1], item[0])):
            shown = ", ".join(f"{word!r} in {count:,} rows" for word, count in words[:5])
            text = f"{column} is {shown}: these images count as images without a group"
            yield Finding("unknown_groups", text)
        groups = {record.group for record, _ in self.rows.values() if record.has_group}
        if similar := one_in_several_spellings(groups):
            shown = abbreviate([" and ".join(map(ascii, same)) for same in similar])
            text = f"groups that differ only in spelling count as different groups: {shown}"
            yield Finding("similar_groups", text)

    @property
    def _join_column(self) -> str:
        return self._options.join_column or self._options.id_column

    @property
    def _joins_by_id(self) -> bool:
        return self._join_column == self._options.id_column

    def _read(self) -> dict[str, tuple[ImageRecord, Problem | None]]:
        rows: dict[str, tuple[ImageRecord, Problem | None]] = {}
        without_image = []
        for number, key, cells in _read_rows(self._table, self._join_column):
            ids = [key] if self._joins_by_id else self._ids.get(key, [])
            if not ids:
                without_image.append(key)
            for image_id in ids:
                row = self._row(f"{self.labels}, line {number}", image_id, cells)
                if (known := rows.setdefault(image_id, row)) != row:
                    raise InputError(
                        f"{self.labels} has two rows of {image_id!r} that differ: "
                        f"{_cells(known[0])} and {_cells(row[0])}"
                    )
        if without_image:
            raise InputError(
                f"{len(without_image)} rows of {self.labels} have no image in "
                f"{self._metadata_path}: {self._join_column} {abbreviate(without_image)}: add rows "
                "there or drop these"
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

    def _settle_zeros(self) -> None:
        """Takes zeros as unknown groups, unless the groups are a series of numbers."""
        groups = {record.group for record, _ in self.rows.values() if record.has_group}
        zeros = {group for group in groups if ZERO.fullmatch(group)}
        if not zeros or (len(groups) > len(zeros) and zero_is_a_group(groups)):
            return
        for image_id, (record, problem) in self.rows.items():
            if record.has_group and record.group in zeros:
                self._unknown_groups[record.group] += 1
                record = dataclasses.replace(record, group=image_id, has_group=False)
                self.rows[image_id] = record, problem

    def _row(
        self, place: str, image_id: str, cells: Mapping[str, str]
    ) -> tuple[ImageRecord, Problem | None]:
        # If both tables have a column, that of the labels counts.
        joined = {**self._metadata.get(image_id, {}), **cells}
        label, problem = self._labels.read(place, cells)
        group_column, split_column = self._options.group_column, self._options.split_column
        split_cell = joined.get(split_column or "", "")
        split = self._splits.read(split_cell, place) if self._splits else None
        if split == "":
            detail = f"its cell of {split_column} means no split"
            problem = problem or (SPLIT_EXCLUDED, detail)
        group_cell = joined.get(group_column, "") if group_column else ""
        group = normalise(group_cell)
        if is_unknown_group(group):
            self._unknown_groups.update([group] if group else [])
            group = ""
        extras = tuple(
            parse_cell(joined.get(column.name, ""), column, place)
            for column in self._options.columns
        )
        record = ImageRecord("", image_id, label, group or image_id, split, extras, bool(group))
        return record, problem

    def _check_columns(self) -> None:
        """Checks that the tables have all requested columns."""
        join, second = self._join_column, self._second
        common = sorted({*self._table.columns} & {*second.columns}) if second else []
        if common and join not in self._table.columns:
            raise InputError(
                f"{self.labels} has no column {join!r}, only {self._metadata_path} has it: if "
                f"{common[0]} joins the two tables, give --join_column {common[0]}"
            )
        check_column(join, self._table)
        header, tables = self._table.columns, str(self.labels)
        if second:
            check_column(join, second)
            check_column(self._options.id_column, second)
            header = (*header, *second.columns)
            tables = f"{tables} and {self._metadata_path}"
        if missing := [column for column in self._optional_columns() if column not in header]:
            raise InputError(f"no column {missing[0]!r} in {tables}; there are {', '.join(header)}")

    def _read_metadata(self) -> dict[str, dict[str, str]]:
        """Returns the requested cells of the second table, by image id."""
        rows: dict[str, dict[str, str]] = {}
        if self._second is None:
            return rows
        wanted = [*self._optional_columns(), self._join_column]
        for line, image_id, cells in _read_rows(self._second, self._options.id_column):
            row = {column: cells[column] for column in wanted if column in cells}
            if not self._joins_by_id and image_id not in rows:
                self._ids[normalise(row[self._join_column])].append(image_id)
            if rows.setdefault(image_id, row) != row:
                raise InputError(
                    f"{self._metadata_path} has two rows of {image_id!r} that differ, the second "
                    f"in line {line}: keep one"
                )
        return rows

    def _optional_columns(self) -> list[str]:
        """Returns the requested columns that either table may have."""
        options = self._options
        names = (options.group_column, options.split_column)
        return [*filter(None, names), *(column.name for column in options.columns)]


def _stripped(options: BuildOptions) -> BuildOptions:
    """Returns options whose names of columns are stripped, as headers are."""
    names = ("id_column", "label_column", "join_column", "group_column", "split_column")
    given = {name: value.strip() for name in names if (value := getattr(options, name))}
    return dataclasses.replace(options, **given)


def _open(path: Path, *expected: str) -> CsvTable:
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the CSV that holds the labels")
    return read_csv(path, *expected)


def _read_rows(table: CsvTable, key_column: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yields line number, id and cells of each row."""
    for line, cells in table.rows():
        key = normalise(cells[key_column])
        if not key:
            raise InputError(
                f"{table.path}, line {line} is a row without an id: fill it in or drop it"
            )
        yield line, key, cells


def _cells(record: ImageRecord) -> str:
    group = record.group if record.has_group else ""
    cells = (record.label, group, record.split, *record.extras)
    return repr(tuple(cell for cell in cells if cell is not None))
