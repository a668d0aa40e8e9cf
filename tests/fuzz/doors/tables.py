"""Doors of tables with labels."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.doors.made import CLASSES, REFUSALS, data_set, is_text
from tests.fuzz.runner import Door, Doors


def _table(root: Path) -> Door:
    from tfrecords_tools.options import BuildOptions
    from tfrecords_tools.sources import list_source

    data_set(root)
    file = root / "labels.csv"
    if not file.exists():
        rows = [f"{row:02d},{CLASSES[row % 3]},p{row // 2},{row % 90}" for row in range(24)]
        file.write_text("\n".join(["image_id,dx,patient,age", *rows]) + "\n")
    options = BuildOptions(
        name="x",
        labels=str(file),
        label_column="dx",
        group_column="patient",
        extra_columns="age:float",
    )

    def use():
        source = list_source(root / "photos", options)
        return source.records, source.rejections

    def sound(result) -> bool:
        records, rejections = result
        good = all(record.label.strip() and record.group for record in records)
        return good and len(records) + len(rejections) >= 24

    return Door(file, use, REFUSALS, sound, structure="csv")


def _label_map(root: Path) -> Door:
    from tfrecords_tools.sources.label_map import read_label_map

    file = root / "map.csv"
    if not file.exists():
        file.write_text("from,to\ndisc,round\nring,round\ntree,\n")

    def sound(result) -> bool:
        return all(map(is_text, (*result, *result.values())))

    return Door(file, lambda: read_label_map(file), REFUSALS, sound, structure="csv")


DOORS: Doors = {
    "labels.csv": _table,
    "label_map.csv": _label_map,
}
