"""Small folders of images, data sets made of them or of records, and what is in a data set."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.images import noise
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.records.schema import Record, serialize_record
from tfrecords_tools.records.writer import write_dataset

CLASSES = {"melanoma": 8, "naevus": 24}
LESION_COLUMNS = {"label_column": "dx", "group_column": "lesion_id"}
"""Options for the table of `lesions`."""


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_class_folders(root: Path) -> Path:
    """Different PNGs of noise in the folders of `CLASSES`."""
    for number, (label, count) in enumerate(CLASSES.items()):
        for index in range(count):
            save(root / label / f"{index:02d}.png", noise(1000 * number + index))
    return root


def lesions(root: Path) -> tuple[Path, Path]:
    """60 images of 20 lesions in two folders, and their table."""
    rows = ["image_id,lesion_id,dx,age"]
    for number in range(60):
        save(root / f"images/part{number % 2 + 1}/ISIC_{number:03d}.jpg", noise(number, 20, 20))
        rows.append(f"ISIC_{number:03d},HAM_{number // 3},{'mel' if number < 15 else 'nv'},50")
    (root / "metadata.csv").write_text("\n".join(rows) + "\n")
    return root / "images", root / "metadata.csv"


def write_records(directory: Path, splits: dict[str, Iterable[Record | bytes]], **changes) -> Path:
    """A data set of records, by default of classes a and b at 16x16."""
    fields = {"name": "x", "class_names": ("a", "b"), "image_shape": (16, 16, 3)} | changes
    serialized = {
        split: [record if isinstance(record, bytes) else serialize_record(record) for record in of]
        for split, of in splits.items()
    }
    write_dataset(directory, splits=serialized, **fields)
    return directory


def records(directory: Path) -> dict[str, list[Record]]:
    return {split: list(read(directory, split)) for split in read_info(directory).splits}


def everything(directory: Path) -> list[Record]:
    return [record for members in records(directory).values() for record in members]


def split_by(field: str, directory: Path) -> dict[str, str]:
    """The split of each `image_id`, or `group`."""
    return {getattr(r, field): split for split, of in records(directory).items() for r in of}


def rejected(directory: Path) -> dict[str, str]:
    """The reason of each rejected file."""
    text = (directory / "rejected.csv").read_bytes().decode()
    return {row["file"]: row["reason"] for row in csv.DictReader(io.StringIO(text, newline=""))}
