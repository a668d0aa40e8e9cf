"""Images that occur twice, by the content of their pixels."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tfrecords_tools.sources import ImageRecord, Rejection


@dataclasses.dataclass(frozen=True)
class Settled:
    """What is left once duplicates are settled.

    Attributes:
        records: the images that stay, in the order they came in.
        rejections: those that go.
        groups: the group of each image now, by image id, also of those that go; groups that share
            an image are one, under the name that comes first in the alphabet.
    """

    records: tuple[ImageRecord, ...]
    rejections: tuple[Rejection, ...]
    groups: Mapping[str, str]


def settle(records: Iterable[ImageRecord], pixels: Mapping[str, str]) -> Settled:
    """Keeps each picture once.

    The same pixels under two labels are a conflict, and all of them go. Under one label the first
    by image id stays; under two groups, the groups become one, so that no picture of one lesion
    can end up in two splits.

    Args:
        records: images, sorted by id.
        pixels: hash of the pixels, by image id.
    """
    records = tuple(records)
    copies: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        copies[pixels[record.image_id]].append(record)
    groups = _Joined()
    rejections: dict[str, Rejection] = {}
    for same in copies.values():
        for rejection in _settle_one(same):
            rejections[rejection.file] = rejection
        if len({record.label for record in same}) == 1:
            for record in same:
                groups.join(same[0].group, record.group)
    kept = tuple(record for record in records if record.file not in rejections)
    return Settled(
        kept,
        tuple(rejections.values()),
        {record.image_id: groups.name(record.group) for record in records},
    )


def _settle_one(same: list[ImageRecord]) -> Iterable[Rejection]:
    """Rejections among images of equal pixels."""
    labels = sorted({record.label for record in same})
    if len(labels) > 1:
        files = ", ".join(record.file for record in same)
        for record in same:
            detail = f"the same pixels under labels {', '.join(labels)}: {files}"
            yield Rejection(record.file, "label_conflict", detail)
    else:
        for record in same[1:]:
            yield Rejection(record.file, "duplicate", f"the same pixels as {same[0].file}")


class _Joined:
    """Disjoint sets of groups, each named by its first member in the alphabet."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def name(self, group: str) -> str:
        while (parent := self._parent.get(group, group)) != group:
            group = parent
        return group

    def join(self, first: str, second: str) -> None:
        low, high = sorted((self.name(first), self.name(second)))
        if low != high:
            self._parent[high] = low
