"""Reads labels from class folders, which may be in folders for train, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.sources import listing
from tfrecords_tools.sources.archives import archive_findings
from tfrecords_tools.sources.cells import is_unknown_group
from tfrecords_tools.sources.files import (
    HIDDEN_FOLDER,
    MACHINE_MADE,
    NOT_AN_IMAGE,
    list_files,
)
from tfrecords_tools.sources.layout import (
    GROUP,
    SPLIT,
    Layout,
    guess_layout,
    parse_layout,
    split_from_name,
    split_in_name,
)
from tfrecords_tools.sources.listing import Finding, ImageRecord, Rejection, Source
from tfrecords_tools.text import abbreviate, normalise


def from_class_folders(
    images: Path, *, folders: str | None = None, follow_links: bool = False
) -> Source:
    """Takes label, split and group of each image from its folders.

    `folders` is the layout (see `layout.parse_layout`); None guesses it from the names.

    Raises:
        InputError: there is no such folder, it holds no image, two folders are one label, a link
            may hide images, or the names of the folders allow several layouts.
    """
    files = list_files(images, follow_links=follow_links)
    rejections = list(files.rejections)
    layout = parse_layout(folders) if folders else guess_layout(files.found, images)
    files.check_links(images, levels=len(layout.levels))
    records = []
    raw_labels: dict[str, set[str]] = defaultdict(set)
    for file in files.found:
        place = layout.place(file)
        label = normalise((place and place.label) or "")
        if place is None:
            rejections.append(Rejection(file, "label_missing", f"it is in no folder of {layout}"))
        elif not label:
            rejections.append(Rejection(file, "label_missing", "its class folder has a blank name"))
        else:
            raw_labels[label].add(place.label or "")
            group, has_group = folder_group(place.group, file)
            split = folder_split(place.split, images)
            records.append(ImageRecord(file, file, label, group, split, has_group=has_group))
    listing.check_collisions(raw_labels)
    labels = _labels_of_rejected(rejections, images, layout)
    others = [each.file for each in files.rejections if each.reason == NOT_AN_IMAGE]
    packed = archive_findings(images, others, files.found)
    findings = (*files.findings, *_unused_folders(layout, files.found), *packed)
    return listing.make_source(images, records, rejections, labels=labels, findings=findings)


def folder_group(name: str | None, image_id: str) -> tuple[str, bool]:
    """Returns the group that a folder name means, and whether it is known."""
    if name is None or is_unknown_group(name):
        return image_id, False
    return normalise(name), True


def folder_split(name: str | None, images: Path) -> str | None:
    """Returns the split that a folder name means; None without a name.

    Raises:
        InputError: the name is not that of a split.
    """
    if name is None:
        return None
    if split := split_from_name(name) or split_in_name(name):
        return split
    raise InputError(
        f"{images} has a folder {name!r} in the place of a split: it must be one of "
        f"{', '.join(SPLITS)}: rename it, or give other --folders"
    )


def _unused_folders(layout: Layout, files: Sequence[str]) -> Iterable[Finding]:
    """Yields a finding if folders below the class folders may be patients or lesions."""
    below = sorted(layout.below(files))
    splits = {split_from_name(path[-1]) for path in below}
    if len(splits) > 1 and None not in splits and SPLIT not in layout.levels:
        yield Finding(
            "split_words",
            f"the folders below the class folders ({abbreviate_paths(below)}) are named like "
            f"splits: give --folders {layout}/{SPLIT} to use them, or --folders {layout}/_",
            trap=True,
        )
    elif len(below) > 1 and GROUP not in layout.levels:
        yield Finding(
            "folders_without_meaning",
            f"{len(below):,} folders lie below the class folders ({abbreviate_paths(below)}) and "
            "are not used: if they are patients or lesions, their images may be in several splits: "
            f"give --folders {layout}/{GROUP}",
        )


def abbreviate_paths(paths: Collection[Sequence[str]]) -> str:
    """Joins the first paths, and says how many more there are."""
    return abbreviate(["/".join(path) for path in paths])


def _labels_of_rejected(rejections: Iterable[Rejection], images: Path, layout: Layout) -> set[str]:
    """Returns labels of folders with rejected files: a class may have no other files."""
    labels = set()
    for rejection in rejections:
        name = rejection.file.rpartition("/")[2]
        hidden = name.startswith(".") and not rejection.wanted
        if rejection.reason in (HIDDEN_FOLDER, MACHINE_MADE) or hidden:
            continue
        is_folder = (images / rejection.file).is_dir()  # a link
        place = layout.place(f"{rejection.file}/" if is_folder else rejection.file)
        in_split = place and (place.split is None or split_in_name(place.split))
        if place and place.label and in_split:
            labels.add(normalise(place.label))
    return labels - {""}
