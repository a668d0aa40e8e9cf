"""Copies of a small data set, and generators that were trained on one of them."""

from __future__ import annotations

import dataclasses
import types

from skin_synth.saved_model.data_images import images_of
from tests.data_sets import write_records
from tests.images import noise
from tests.origins import make_origin
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import Record

SIZES = {"train": 140, "validation": 30, "test": 30}


def copy_of(directory, *, darker=0, change=None, classes=("a", "b")):
    """A data set of 200 images; `change` maps (split, record) to the same of another copy."""
    splits = {name: [] for name in SIZES}
    number = 0
    for split, count in SIZES.items():
        for _ in range(count):
            image = encode_png(noise(number % 7, 16, 16) // (1 + darker))
            found = (split, Record(image, number % 2, f"ISIC_{number}", f"lesion {number}"))
            found = found if change is None else change(number, *found)
            if found is not None:
                splits[found[0]].append(found[1])
            number += 1
    return write_records(directory, splits, class_names=classes)


def generator_of(data, **fields):
    images = images_of(data)
    names = {"class_names": ("a", "b"), "origin": make_origin(data), "data_dir": None}
    return types.SimpleNamespace(**{**names, "data_images": images, **fields})


def renamed(number, split, record):
    return split, dataclasses.replace(record, image_id=f"images/{record.image_id}")
