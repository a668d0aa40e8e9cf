"""Lists images and their labels from class folders, or from a folder of images and tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources.class_names import find_misleading_names
from tfrecords_tools.sources.folders import from_class_folders
from tfrecords_tools.sources.label_map import apply_label_map, read_label_map
from tfrecords_tools.sources.listing import Finding, ImageRecord, Rejection, Source
from tfrecords_tools.sources.tables import from_tables

__all__ = ["Finding", "ImageRecord", "Rejection", "Source", "list_source"]


def list_source(images: Path, options: BuildOptions) -> Source:
    """Lists every file of an image folder, as an image to read or as a rejection.

    Raises:
        InputError: the folder or a table cannot be used.
    """
    label_map: dict[str, str] = {}
    if options.label_map is not None:
        label_map = read_label_map(Path(options.label_map))
    if options.labels is None:
        source = from_class_folders(
            images, folders=options.folders, follow_links=options.follow_links
        )
    else:
        source = from_tables(images, Path(options.labels), options, named=label_map)
    if options.label_map is not None:
        source = apply_label_map(source, label_map)
    misleading = find_misleading_names(
        source, meant=label_map.values(), layout_given=bool(options.folders)
    )
    return dataclasses.replace(source, findings=(*source.findings, *misleading))
