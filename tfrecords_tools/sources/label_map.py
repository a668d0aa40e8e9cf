"""A table that merges, renames and leaves out classes."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.listing import Rejection, Source, make_source
from tfrecords_tools.text import few, normalise

COLUMNS = ("from", "to")
EXCLUDED = "label_excluded"
"""Why an image of a class that is left out is rejected."""


def read_label_map(path: Path) -> dict[str, str]:
    """Reads a CSV with columns `from` and `to`; a blank `to` leaves the class out.

    Returns:
        New label by old one, "" for those to leave out; both normalised.

    Raises:
        InputError: no such file, other columns, a blank `from`, or one that occurs twice.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: give a CSV with columns from and to")
    label_map: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise InputError(
                    f"{path} must have the columns from,to; it has {reader.fieldnames or 'none'}"
                )
            for row in reader:
                if len(row) != len(COLUMNS) or None in row.values():
                    raise InputError(
                        f"{path}, line {reader.line_num} has not two cells, or more cells than the "
                        "header: a comma in a name needs quotes around the name"
                    )
                old, new = normalise(row["from"] or ""), normalise(row["to"] or "")
                if not old or old in label_map:
                    raise InputError(
                        f"{path}, line {reader.line_num}: from is {old!r}, which is blank or "
                        "stands above already"
                    )
                label_map[old] = new
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a UTF-8 CSV: {error}") from error
    return label_map


def mapped(source: Source, label_map: Mapping[str, str]) -> Source:
    """The source with new labels; classes that the map does not name keep theirs.

    Raises:
        InputError: the map names a class that the source does not know, or leaves no image.
    """
    if unknown := sorted(set(label_map) - source.labels):
        raise InputError(
            f"the label map names {few(unknown)}, which no image has; there are "
            f"{', '.join(sorted(source.labels))}"
        )
    records, excluded = [], []
    for record in source.records:
        label = label_map.get(record.label, record.label)
        if label:
            records.append(dataclasses.replace(record, label=label))
        else:
            detail = f"the label map leaves {record.label} out"
            excluded.append(Rejection(record.file, EXCLUDED, detail))
    return make_source(
        source.root,
        records,
        (*source.rejections, *excluded),
        labels={label_map.get(label, label) for label in source.labels} - {""},
        columns=source.columns,
    )
