"""The splits of a data set that a new build keeps: by group, and by image."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import Part, read_json
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.records.schema import BUILD_REPORT
from tfrecords_tools.sources import ImageRecord
from tfrecords_tools.text import abbreviate, composed


@dataclasses.dataclass(frozen=True)
class KeptSplits:
    """The splits of an earlier data set, by group and by image id."""

    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def pins(self, records: Iterable[ImageRecord], joined: Mapping[str, str]) -> dict[str, str]:
        """Returns the split of each group that is known by name, by a joined group or by an image.

        Raises:
            InputError: a group of the new build was in two splits.
        """
        pins: dict[str, tuple[str, str]] = {}
        for group, split, known_as in self._known(records):
            now = joined.get(group, group)
            other, of_other = pins.setdefault(now, (split, known_as))
            if other != split:
                raise InputError(
                    f"{of_other} and {known_as} are in splits {other} and {split} of the data set "
                    f"to keep: they are one group now, {now!r}, and a group stays in one split; "
                    "give both the same group there, or build without keep_splits"
                )
        return {group: split for group, (split, _) in pins.items()}

    def check_met(self, records: Iterable[ImageRecord], old: str) -> None:
        """Checks that some image or group is known; otherwise every split would be a new one.

        Raises:
            InputError: the records share no group and no id with the data set to keep.
        """
        records = list(records)
        if any(r.group in self.groups or self._split_of(r.image_id) for r in records):
            return
        raise InputError(
            f"no image and no group of {old} is in this build, so that no split can be kept: it "
            f"has {abbreviate(sorted(self.images)) or 'none'}, this build has "
            f"{abbreviate([record.image_id for record in records])}: build from the same images, "
            "with ids and groups written in the same way, or leave keep_splits out"
        )

    def _known(self, records: Iterable[ImageRecord]) -> Iterator[tuple[str, str, str]]:
        """Yields (group, split, a name for messages) for groups, then for images."""
        for group, split in self.groups.items():
            yield group, split, f"group {group!r}"
        for record in records:
            if split := self._split_of(record.image_id):
                yield record.group, split, f"image {record.image_id!r}"

    def _split_of(self, image_id: str) -> str:
        """The split of an image; "" if unknown."""
        return self.images.get(image_id) or self.images.get(composed(image_id), "")


def read_kept_splits(directory: str | os.PathLike[str]) -> KeptSplits:
    """Reads the splits of all groups and images of a data set directory.

    A group that the earlier build joined to another, because they share an image, has the split of
    that group.

    Raises:
        InputError: it is no data set, or a record or the build report is damaged.
    """
    groups: dict[str, str] = {}
    images: dict[str, str] = {}
    for split in read_info(directory).splits:
        for record in read(directory, split):
            groups[record.group] = images[record.image_id] = split
    report, joined = Path(directory) / BUILD_REPORT, {}
    if report.is_file():
        joined = read_json(
            report, _Report, repair="build the data set again", fault="is damaged"
        ).joined_groups
    for old, new in joined.items():
        if new in groups:
            groups.setdefault(old, groups[new])
    return KeptSplits(_with_composed(groups), _with_composed(images))


@dataclasses.dataclass(frozen=True)
class _Report(Part):
    """What is read of a build report: the group that each joined group is in."""

    joined_groups: dict[str, str]


def _with_composed(splits: Mapping[str, str]) -> dict[str, str]:
    """Adds names in Unicode's composed form, because tables are now read in this form."""
    return {composed(name): split for name, split in splits.items()} | dict(splits)
