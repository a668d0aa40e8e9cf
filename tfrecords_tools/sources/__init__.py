"""Where images and their labels come from: class folders, or tables beside a folder of images."""

from __future__ import annotations

from pathlib import Path

from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources.folders import from_class_folders
from tfrecords_tools.sources.label_map import mapped, read_label_map
from tfrecords_tools.sources.listing import ImageRecord, Rejection, Source
from tfrecords_tools.sources.tables import from_tables

__all__ = ["ImageRecord", "Rejection", "Source", "find"]


def find(images: Path, options: BuildOptions) -> Source:
    """Lists all that the options speak of: each file met is an image to read or a rejection.

    Raises:
        InputError: folder or tables cannot be used; the message says why.
    """
    if options.labels is None:
        source = from_class_folders(images)
    else:
        source = from_tables(images, Path(options.labels), options)
    if options.label_map is None:
        return source
    return mapped(source, read_label_map(Path(options.label_map)))
