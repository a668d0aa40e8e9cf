"""Writes a data set as image files with a CSV, for frameworks that read no TFRecords."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from tfrecords_tools.atomic import new_directory
from tfrecords_tools.build_steps.contact_sheets import numbered_name
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.images.metadata import marked_synthetic
from tfrecords_tools.images.png_file import SIGNATURE as PNG_SIGNATURE
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.records.schema import ORIGIN_SYNTHETIC

IMAGES_CSV = "images.csv"
HUB_CSV = "metadata.csv"
"""In the folder of each split; its name, and that of its first column, are Hugging Face's."""
HUB_CSV_COLUMNS = ("file_name", "label", "image_id", "group", "origin")
IMAGES_CSV_COLUMNS = ("file", "split", "label", "image_id", "group", "origin")


def write_image_folder(
    data: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Writes SPLIT/NN_CLASS/NUMBER.png (or .jpg), encoded as in the data set, and `IMAGES_CSV`.

    The folder of each split has `HUB_CSV`, which the `imagefolder` of Hugging Face's datasets reads
    with all columns. torchvision's `ImageFolder` takes the folder of a split as it is.
    The folders of a split, sorted by name, are in the order of the labels. The CSV holds the image
    ids, because an id may not be a valid file name. `out` appears when it is complete; `overwrite`
    replaces a folder that this function wrote.

    Raises:
        InputError: `data` is no data set, a record is damaged, or `out` exists.
    """
    info = read_info(data)
    width = max(2, len(str(len(info.class_names) - 1)))
    folders = [
        numbered_name(label, name, digits=width) for label, name in enumerate(info.class_names)
    ]
    with new_directory(out, overwrite=overwrite, marker=IMAGES_CSV) as root:
        for split, folder in itertools.product(info.splits, folders):
            (root / split / folder).mkdir(parents=True)
        rows = []
        for split in info.splits:
            for number, record in enumerate(read(data, split)):
                image = record.image
                suffix = "png" if image.startswith(PNG_SIGNATURE) else "jpg"
                path = f"{split}/{folders[record.label]}/{number:06d}.{suffix}"
                if record.origin == ORIGIN_SYNTHETIC:  # so that another build knows it
                    image = marked_synthetic(image)
                (root / path).write_bytes(image)
                name = info.class_names[record.label]
                rows.append((path, split, name, record.image_id, record.group, record.origin))
        for split in info.splits:
            own = [(path.partition("/")[2], *row) for path, its, *row in rows if its == split]
            (root / split / HUB_CSV).write_bytes(csv_bytes(HUB_CSV_COLUMNS, own))
        (root / IMAGES_CSV).write_bytes(csv_bytes(IMAGES_CSV_COLUMNS, rows))
    return Path(out)
