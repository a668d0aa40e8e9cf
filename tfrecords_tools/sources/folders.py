"""Class folders, alone or within folders for train, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import TEST, TRAIN, VALIDATION
from tfrecords_tools.sources.files import HIDDEN_FOLDER, walk
from tfrecords_tools.sources.listing import (
    ImageRecord,
    Rejection,
    Source,
    check_collisions,
    make_source,
)
from tfrecords_tools.text import few, normalise

SPLIT_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""What people call the splits, in small letters."""


def from_class_folders(images: Path) -> Source:
    """Takes the first folder below `images` as the label; folders may nest below it.

    Where the first folders are called train, validation and test, or some of them, these are the
    splits, and the folders in them the labels.

    Raises:
        InputError: no such folder, no image in it, two folders whose names are one label, or
            folders for splits beside folders that are none.
    """
    found, rejections = walk(images)
    split_of = _split_folders(found, images)
    records = []
    raw_labels: dict[str, set[str]] = defaultdict(set)
    for file in found:
        top, _, rest = file.partition("/")
        raw_label, slash, _ = rest.partition("/") if split_of else file.partition("/")
        label = normalise(raw_label)
        if not slash:
            rejections.append(Rejection(file, "label_missing", "it lies in no class folder"))
        elif not label:
            rejections.append(Rejection(file, "label_missing", "its class folder has a blank name"))
        else:
            raw_labels[label].add(raw_label)
            records.append(ImageRecord(file, file, label, file, split_of.get(top)))
    check_collisions(raw_labels)
    labels = _labels_of_rejected(rejections, images, split_of)
    return make_source(images, records, rejections, labels=labels)


def as_split(name: str) -> str | None:
    """The split that a name means, or None."""
    return SPLIT_NAMES.get(name.strip().lower())


def _labels_of_rejected(
    rejections: Iterable[Rejection], images: Path, split_of: Mapping[str, str]
) -> set[str]:
    """Labels of class folders with files that are not read: a class may have no others."""
    labels = set()
    for rejection in rejections:
        *folders, name = rejection.file.split("/")
        if rejection.reason == HIDDEN_FOLDER or name.startswith("."):
            continue
        if (images / rejection.file).is_dir():  # a link to a folder
            folders.append(name)
        if split_of:
            folders = folders[1:] if folders and folders[0] in split_of else []
        if folders:
            labels.add(normalise(folders[0]))
    return labels - {""}


def _split_folders(found: Iterable[str], images: Path) -> dict[str, str]:
    """The split of each first folder; empty where the folders are classes."""
    tops = sorted({file.partition("/")[0] for file in found if "/" in file})
    split_of = {top: split for top in tops if (split := as_split(top))}
    if not split_of:
        return {}
    if others := [top for top in tops if top not in split_of]:
        raise InputError(
            f"{images} has folders {few(list(split_of))}, which are named like splits, beside "
            f"{few(others)}: put class folders into each split, or rename what is no split"
        )
    if len(set(split_of.values())) < len(split_of):
        raise InputError(
            f"{images} has two folders for one split among {', '.join(split_of)}: join them"
        )
    if not any(file.count("/") > 1 for file in found):
        raise InputError(
            f"{images} has folders {few(list(split_of))}, which are named like splits, but "
            "no class folder in them: make class folders there, or give a CSV by --labels"
        )
    return split_of
