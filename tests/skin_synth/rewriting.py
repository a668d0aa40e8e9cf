"""Data sets that differ from another in their records alone."""

from __future__ import annotations

from tfrecords_tools.reader import read_info
from tfrecords_tools.writer import write_dataset


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
