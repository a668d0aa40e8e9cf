"""The images of the data set on which a generator was trained, by id: no pixels.

A generator that many people use carries this list, so that they can use it with their own copy of a
public data set: its files may be of another size than those of the training.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Mapping
from pathlib import Path

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.records.schema import ORIGIN_REAL

DATA_IMAGES_FILE = "data_images.csv"
COLUMNS = ("image_id", "label", "split")
MOST_OTHERS = 0.01
"""Share of images that may be new or missing: other copies of a data set have other duplicates."""


@dataclasses.dataclass(frozen=True, slots=True)
class DataImage:
    """The class name and the split of an image."""

    label: str
    split: str


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How the images of a data set agree with those of another, by id.

    Attributes:
        images: number of images of the data set.
        shared: images of both, with the same class and split.
        others: images of both, with another class or split.
        new: images of the data set alone.
        missing: images of the other one alone.
    """

    images: int
    shared: int
    others: tuple[str, ...]
    new: int
    missing: int

    @property
    def same(self) -> bool:
        """Whether both are one data set, but for a few images."""
        most = MOST_OTHERS * (self.shared + self.missing)
        return not self.others and self.shared > 0 and max(self.new, self.missing) <= most


def images_of(data_dir: str | os.PathLike[str]) -> dict[str, DataImage]:
    """Reads the ids of the real images of a data set.

    Raises:
        InputError: there is no data set, or a record is damaged.
    """
    info = read_info(data_dir)
    return {
        record.image_id: DataImage(info.class_names[record.label], split)
        for split in info.splits
        for record in read(data_dir, split)
        if record.origin == ORIGIN_REAL
    }


def compare_images(known: Mapping[str, DataImage], data_dir: str | os.PathLike[str]) -> Agreement:
    """Compares the images of a data set with those on which a generator was trained.

    Raises:
        InputError: there is no data set, or a record is damaged.
    """
    found = images_of(data_dir)
    both = [name for name in found if name in known]
    others = tuple(name for name in both if found[name] != known[name])
    return Agreement(
        images=len(found),
        shared=len(both) - len(others),
        others=others,
        new=len(found) - len(both),
        missing=len(known) - len(both),
    )


def write_data_images(directory: Path, data_dir: str | os.PathLike[str]) -> None:
    """Writes `DATA_IMAGES_FILE` into the directory of an exported version.

    Raises:
        InputError: there is no data set, or a record is damaged.
    """
    rows = ((name, image.label, image.split) for name, image in images_of(data_dir).items())
    (directory / DATA_IMAGES_FILE).write_bytes(csv_bytes(COLUMNS, rows))


def read_data_images(directory: Path) -> dict[str, DataImage] | None:
    """Reads `DATA_IMAGES_FILE` from the directory of an exported version; None if it has none.

    Raises:
        InputError: it is not such a file.
    """
    path = directory / DATA_IMAGES_FILE
    if not path.exists():
        return None
    try:
        text = io.StringIO(read_bounded(path).decode("utf-8"), newline="")
        header, *rows = csv.reader(text, strict=True)
        if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
            raise ValueError(f"each row must have {', '.join(COLUMNS)}")
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path} is no list of images ({error})") from error
    return {name: DataImage(label, split) for name, label, split in rows}
