"""What a source lists: images to read, and rejected files."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import Column, Value
from tfrecords_tools.text import abbreviate


@dataclasses.dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image to read.

    Attributes:
        file: its path below the image folder, with forward slashes.
        image_id: its name in the data set.
        label: name of its class.
        group: its lesion or patient; the image id if unknown.
        split: given by the source, or None.
        extras: values of the extra columns, in their order.
        has_group: whether the source gives the group.
    """

    file: str
    image_id: str
    label: str
    group: str
    split: str | None = None
    extras: tuple[Value, ...] = ()
    has_group: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    r"""A file that is not in the data set.

    Attributes:
        file: its path below the image folder, undecodable bytes as `\xNN`.
        reason: a slug, such as truncated or duplicate.
        detail: what a person needs to know to repair it.
        wanted: whether it is, or was meant as, an image of the data set. Only these files count
            for `max_rejected`.
    """

    file: str
    reason: str
    detail: str
    wanted: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A fact that a person should know before the data set is used.

    Attributes:
        kind: a slug, such as similar_classes or unknown_groups.
        text: one line for a person: what was found, and what to do.
        trap: whether the data set would mislead training or evaluation. The build then fails,
            unless the findings are accepted.
    """

    kind: str
    text: str
    trap: bool = False


@dataclasses.dataclass(frozen=True)
class Source:
    """The content of an image folder and its tables.

    Attributes:
        root: the image folder.
        records: images to read, sorted by `image_id`.
        rejections: other files, sorted by name.
        labels: names of all classes, including those without an image.
        columns: the extra columns.
        findings: what the folder or the tables show that a person should know.
    """

    root: Path
    records: tuple[ImageRecord, ...]
    rejections: tuple[Rejection, ...]
    labels: frozenset[str]
    columns: tuple[Column, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def gives_splits(self) -> bool:
        """Whether the source gives the split of each image."""
        return self.records[0].split is not None


def make_source(
    root: Path,
    records: Iterable[ImageRecord],
    rejections: Iterable[Rejection],
    *,
    labels: Collection[str] = (),
    columns: tuple[Column, ...] = (),
    findings: tuple[Finding, ...] = (),
) -> Source:
    """Makes a source, sorted.

    Raises:
        InputError: no image has a label, or a label has a line break.
    """
    records = tuple(sorted(records, key=lambda record: record.image_id))
    rejections = tuple(sorted(rejections, key=lambda rejection: rejection.file))
    if not records:
        why = abbreviate([f"{rejection.file}: {rejection.reason}" for rejection in rejections])
        raise InputError(
            f"{root} holds no labelled image ({why}): expected class folders of images, or a "
            "folder of images with --labels"
        )
    names = frozenset(labels) | {record.label for record in records}
    if broken := sorted(name for name in names if len(name.splitlines()) > 1):
        raise InputError(f"label {broken[0]!r} has a line break: rename the class")
    return Source(root, records, rejections, names, columns, findings)


def check_collisions(raw_labels: Mapping[str, Collection[str]]) -> None:
    """Checks that no two names become one label; `raw_labels` are the names of each label.

    Raises:
        InputError: several names are one label.
    """
    for label, raw in raw_labels.items():
        if len(raw) > 1:
            raise InputError(
                f"the names {sorted(raw)} are all label {label!r} once stripped and normalised: "
                "rename all but one"
            )
