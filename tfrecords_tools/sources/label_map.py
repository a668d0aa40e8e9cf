"""Merges, renames and leaves out classes by a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.csv_reading import read_csv
from tfrecords_tools.sources.listing import Rejection, Source, make_source
from tfrecords_tools.text import abbreviate, normalise

LABEL_MAP_COLUMNS = ("from", "to")
LABEL_EXCLUDED = "label_excluded"
"""Reason to reject an image of a class that is left out."""


def read_label_map(path: Path) -> dict[str, str]:
    """Reads a CSV with columns `from` and `to`: new label by old label, both normalised.

    A blank `to` leaves the class out.

    Raises:
        InputError: there is no such file, its columns differ, or a `from` is blank or repeated.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: give a CSV with columns from and to")
    label_map: dict[str, str] = {}
    table = read_csv(path, *LABEL_MAP_COLUMNS)
    if table.header != LABEL_MAP_COLUMNS:
        raise InputError(
            f"{path} must have the columns from,to; it has {list(table.header) or 'none'}"
        )
    for line, cells in table.lines():
        if len(cells) != len(LABEL_MAP_COLUMNS):
            raise InputError(
                f"{path}, line {line} does not have two cells: "
                "a comma in a name needs quotes around the name"
            )
        old, new = map(normalise, cells)
        if not old or old in label_map:
            raise InputError(
                f"{path}, line {line}: from is {old!r}, which is blank or "
                "repeated: give each class one row"
            )
        label_map[old] = new
    return label_map


def apply_label_map(source: Source, label_map: Mapping[str, str]) -> Source:
    """Returns the source with new labels; classes that the map does not name keep theirs.

    Raises:
        InputError: the map names an unknown class, or leaves no image.
    """
    if unknown := sorted(set(label_map) - source.labels):
        raise InputError(
            f"the label map names {abbreviate(unknown)}, which no image has; there are "
            f"{', '.join(sorted(source.labels))}"
        )
    records, excluded = [], []
    for record in source.records:
        if label := label_map.get(record.label, record.label):
            records.append(dataclasses.replace(record, label=label))
        else:
            detail = f"the label map leaves {record.label} out"
            excluded.append(Rejection(record.file, LABEL_EXCLUDED, detail, wanted=False))
    rejections = (*source.rejections, *excluded)
    labels = {label_map.get(label, label) for label in source.labels} - {""}
    mapped = make_source(source.root, records, rejections, labels=labels, columns=source.columns)
    return dataclasses.replace(mapped, findings=source.findings)
