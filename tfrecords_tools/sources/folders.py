"""Reads labels from class folders, which may be in folders for train, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import TEST, TRAIN, VALIDATION
from tfrecords_tools.sources import listing
from tfrecords_tools.sources.files import HIDDEN_FOLDER, list_files
from tfrecords_tools.sources.listing import ImageRecord, Rejection, Source
from tfrecords_tools.text import abbreviate, normalise

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""Usual names of the splits, in lower case."""


def from_class_folders(images: Path) -> Source:
    """Takes the first folder below `images` as the label; folders may nest below it.

    First folders with names of splits (train, validation, test, or some of them) are the splits;
    the folders in them are the labels.

    Raises:
        InputError: there is no such folder, it holds no image, two folders are one label, or only
            some of the first folders have names of splits.
    """
    found, rejections = list_files(images)
    split_of = _split_folders(found, images)
    records = []
    raw_labels: dict[str, set[str]] = defaultdict(set)
    for file in found:
        top, _, rest = file.partition("/")
        raw_label, slash, _ = rest.partition("/") if split_of else file.partition("/")
        label = normalise(raw_label)
        if not slash:
            rejections.append(Rejection(file, "label_missing", "it is in no class folder"))
        elif not label:
            rejections.append(Rejection(file, "label_missing", "its class folder has a blank name"))
        else:
            raw_labels[label].add(raw_label)
            records.append(ImageRecord(file, file, label, file, split_of.get(top)))
    listing.check_collisions(raw_labels)
    labels = _labels_of_rejected(rejections, images, split_of)
    return listing.make_source(images, records, rejections, labels=labels)


def split_from_name(name: str) -> str | None:
    """Returns the split that a folder name means, or None."""
    return SPLIT_NAMES.get(name.strip().lower())


def _labels_of_rejected(
    rejections: Iterable[Rejection], images: Path, split_of: Mapping[str, str]
) -> set[str]:
    """Returns labels of folders with rejected files: a class may have no other files."""
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
    """Returns the split of each first folder; empty if these are class folders."""
    tops = sorted({file.partition("/")[0] for file in found if "/" in file})
    split_of = {top: split for top in tops if (split := split_from_name(top))}
    if not split_of:
        return {}
    if others := [top for top in tops if top not in split_of]:
        raise InputError(
            f"{images} has folders {abbreviate(list(split_of))}, which are named like splits, and "
            f"{abbreviate(others)}: put class folders into each split, or rename what is no split"
        )
    if len(set(split_of.values())) < len(split_of):
        raise InputError(
            f"{images} has two folders for one split among {', '.join(split_of)}: join them"
        )
    if not any(file.count("/") > 1 for file in found):
        raise InputError(
            f"{images} has folders {abbreviate(list(split_of))}, which are named like splits, but "
            "no class folder in them: make class folders there, or give a CSV by --labels"
        )
    return split_of
