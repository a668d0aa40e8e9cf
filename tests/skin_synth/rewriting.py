"""Data sets that differ from another in their records alone."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read_info, read_records
from tfrecords_tools.records.schema import parse_record, serialize_record
from tfrecords_tools.records.writer import write_dataset

MISFITS = [
    (encode_png(np.zeros((1, 1, 3), np.uint8)), r"its image is of shape \(1, 1, 3\), not"),
    (encode_png(np.zeros((64, 64, 3), np.uint8)), r"its image is of shape \(64, 64, 3\), not"),
    (b"\x89PNG and no more", "its image cannot be decoded"),
]
"""Images that do not fit 32x32, and what is said of them."""


def rewritten(data, splits, out):
    """The data set with other records in its splits."""
    info = read_info(data)
    write_dataset(
        out,
        name=info.name,
        class_names=info.class_names,
        image_shape=info.image_shape,
        image_format=info.image_format,
        columns=info.columns,
        splits=splits,
    )
    return out


def with_synthetic(data, out, counts):
    """The data set with the first records of some splits called synthetic, `counts` by split."""
    splits = {split: list(read_records(data, split)) for split in read_info(data).splits}
    for split, count in counts.items():
        for row in range(count):
            record = dataclasses.replace(parse_record(splits[split][row]), origin="synthetic")
            splits[split][row] = serialize_record(record)
    return rewritten(data, splits, out)


def altered(data, out, **changes):
    """The data set with another third training record."""
    splits = {split: list(read_records(data, split)) for split in read_info(data).splits}
    record = dataclasses.replace(parse_record(splits["train"][2]), **changes)
    splits["train"][2] = serialize_record(record)
    return rewritten(data, splits, out)
