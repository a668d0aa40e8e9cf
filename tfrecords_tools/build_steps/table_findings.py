"""Looks at the table of classes and splits, and says what would mislead training or evaluation.

Each step of a build is right by its own rule. Only the result shows a class without training
images, one patient who is half of the data, or a class that lost most of its images.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from tfrecords_tools.build_steps.duplicates import PLACEHOLDER
from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import TRAIN
from tfrecords_tools.sources import Finding, ImageRecord, Rejection
from tfrecords_tools.text import abbreviate

FAR = Fraction(1, 10)
"""A class is far from its share if it misses it by more than this part of its images, and by more
than one image."""
GIANT = Fraction(1, 2)
"""A group with more than this part of all images is most likely a mistake in the table; one with
more than this part of a class is worth a line."""


MANY_SINGLE = 10
"""With so many classes of one image, which are most of all classes, the labels are no classes."""


@dataclasses.dataclass(frozen=True)
class ClassTable:
    """The numbers of images of a planned data set.

    Attributes:
        counts: of real images by class and split; each class has all splits of the data set.
        groups: by group and class; only of images whose source gives a group, or with a joined one.
        lost: rejected images of each class, without those that have no class.
        shares: asked for each split; None if the source gives the splits.
        joined: new name of each group that was joined to others.
        placeholders: number of images that are rejected because many groups have their pixels.
    """

    counts: Mapping[str, Mapping[str, int]]
    groups: Mapping[str, Counter[str]]
    lost: Mapping[str, int]
    shares: Mapping[str, Fraction] | None
    joined: Mapping[str, str]
    placeholders: int = 0

    @property
    def totals(self) -> dict[str, int]:
        """Number of images of each class."""
        return {label: sum(of_class.values()) for label, of_class in self.counts.items()}

    @property
    def largest_group(self) -> tuple[str, int] | None:
        """The group with the most images, and their number; None without groups."""
        sizes = {group: of_group.total() for group, of_group in self.groups.items()}
        return max(sizes.items(), key=lambda item: (item[1], item[0]), default=None)


def class_table(
    records: Sequence[ImageRecord],
    plan: Plan,
    shares: Mapping[str, Fraction] | None,
    rejections: Iterable[Rejection] = (),
) -> ClassTable:
    """Counts the images of a plan; `records` are those of the source."""
    splits = list(shares or plan.members)
    counts = {label: dict.fromkeys(splits, 0) for label in plan.class_names}
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for split, rows in plan.members.items():
        for record in (records[row] for row in rows):
            counts[record.label][split] += 1
            if record.has_group or record.group in plan.joined:
                groups[plan.group(record)][record.label] += 1
    rejections = list(rejections)
    placeholders = sum(rejection.reason == PLACEHOLDER for rejection in rejections)
    label_of = {record.file: record.label for record in records}
    lost = Counter(
        label_of[rejection.file] for rejection in rejections if rejection.file in label_of
    )
    of_classes = dict(sorted(lost.items()))
    return ClassTable(counts, dict(groups), of_classes, shares, plan.joined, placeholders)


def table_findings(table: ClassTable) -> tuple[Finding, ...]:
    """Returns what a person should know about the table, the traps first."""
    found = [
        *_empty_splits(table),
        *_without_training(table),
        *_synthetic_only(table),
        *_single_images(table),
        *_giant_group(table),
        *_far_from_shares(table),
        *_in_one_split(table),
        *_large_groups_of_classes(table),
        *_joined_groups(table),
        *_placeholders(table),
        *_lost_images(table),
    ]
    return tuple(sorted(found, key=lambda finding: not finding.trap))


def refuse_traps(findings: Iterable[Finding]) -> None:
    """Refuses a data set that would be a trap.

    Raises:
        InputError: a finding is a trap; the message has the texts of all traps.
    """
    if traps := [finding.text for finding in findings if finding.trap]:
        raise InputError(
            f"the data set would mislead: {'; '.join(traps)}; repair the input, or give "
            "--accept_findings to build it knowingly"
        )


def _empty_splits(table: ClassTable) -> Iterator[Finding]:
    """Groups may be so large that a split gets none of them, although there are enough images."""
    by_split = {split: sum(c[split] for c in table.counts.values()) for split in table.shares or ()}
    empty = [split for split, count in by_split.items() if not count]
    if empty and max(table.totals.values()) >= len(by_split):
        yield Finding(
            "empty_split",
            f"no image for split {' and '.join(empty)}, because no class has "
            f"{len(by_split)} groups (largest group: {_largest(table)}): check the group column",
            trap=True,
        )


def _without_training(table: ClassTable) -> Iterator[Finding]:
    labels = [
        label
        for label, of_class in table.counts.items()
        if of_class.get(TRAIN) == 0 and table.totals[label]
    ]
    if labels:
        places = sorted({s for label in labels for s, n in table.counts[label].items() if n})
        yield Finding(
            "class_without_training",
            f"{_classes(labels)} without an image in {TRAIN}, but in {' and '.join(places)}: give "
            "each class training images, or leave it out by --label_map",
            trap=True,
        )


def _synthetic_only(table: ClassTable) -> Iterator[Finding]:
    """A class of the plan that has no real image; synthetic images are not in the table."""
    if labels := [label for label, total in table.totals.items() if not total]:
        yield Finding(
            "synthetic_only",
            f"{_classes(labels)} with synthetic images only: training can use these, but nothing "
            "can be measured on them",
        )


def _single_images(table: ClassTable) -> Iterator[Finding]:
    """Finds ids, ages or notes that were taken for classes."""
    single = [label for label, total in table.totals.items() if total == 1]
    if len(single) >= MANY_SINGLE and len(single) > len(table.totals) / 2:
        yield Finding(
            "single_images",
            f"{len(single):,} of {len(table.totals):,} classes have one image each "
            f"({abbreviate(single)}): check that these are the classes, and not ids or notes",
            trap=True,
        )


def _giant_group(table: ClassTable) -> Iterator[Finding]:
    if not (largest := table.largest_group):
        return
    (name, size), total = largest, sum(table.totals.values())
    joined = sum(new == name for new in table.joined.values())
    if size > GIANT * total:
        why = "the name may mean that the group is unknown"
        if joined:
            why = f"{joined + 1:,} groups were joined to it, because they share images"
        yield Finding(
            "giant_group",
            f"group {name!r} has {size:,} of all {total:,} images, and a group stays in one split: "
            f"check the group column; {why}",
            trap=True,
        )
    else:
        yield Finding("largest_group", f"largest group: {name}, {size:,} of {total:,} images")


def _far_from_shares(table: ClassTable) -> Iterator[Finding]:
    far = []
    for label, of_class in table.counts.items():
        total = table.totals[label]
        misses = {split: of_class[split] - s * total for split, s in (table.shares or {}).items()}
        split = max(misses, key=lambda split: abs(misses[split]), default="")
        if split and abs(misses[split]) > 1 and abs(misses[split]) > FAR * total:
            share = float((table.shares or {})[split])
            far.append(f"{label} ({of_class[split]:,} of {total:,} in {split}, asked {share:.0%})")
    if far:
        yield Finding(
            "far_from_share",
            f"{_classes(far)} far from the asked shares: whole groups and kept splits allow no "
            "better",
        )


def _in_one_split(table: ClassTable) -> Iterator[Finding]:
    """Classes without training images are another finding."""
    labels = [
        label
        for label, of_class in table.counts.items()
        if len(of_class) > 1 and 0 < of_class.get(TRAIN, 0) == table.totals[label]
    ]
    if labels:
        yield Finding(
            "class_in_one_split",
            f"{_classes(labels)} in {TRAIN} only: nothing can be measured on these",
        )


def _large_groups_of_classes(table: ClassTable) -> Iterator[Finding]:
    large = {}
    for group, of_group in table.groups.items():
        for label, count in of_group.items():
            if count > 1 and count > GIANT * table.totals[label]:
                large[label] = f"{label} ({count:,} of {table.totals[label]:,} in {group})"
    if large:
        texts = [text for _, text in sorted(large.items())]
        yield Finding("group_of_class", f"{_classes(texts)} with most images in one group")


def _joined_groups(table: ClassTable) -> Iterator[Finding]:
    if table.joined:
        name, others = Counter(table.joined.values()).most_common(1)[0]
        yield Finding(
            "joined_groups",
            f"{len(table.joined):,} groups were joined to others that share an image with them; "
            f"{name} is {others + 1:,} groups now",
        )


def _placeholders(table: ClassTable) -> Iterator[Finding]:
    if table.placeholders:
        yield Finding(
            PLACEHOLDER,
            f"{table.placeholders:,} images are left out, because many groups have the same "
            "picture: it shows no patient",
        )


def _lost_images(table: ClassTable) -> Iterator[Finding]:
    shares = {n: Fraction(lost, lost + table.totals.get(n, 0)) for n, lost in table.lost.items()}
    texts = [
        f"{label} {table.lost[label]:,} ({float(shares[label]):.0%})"
        for label in sorted(shares, key=lambda label: (-shares[label], label))
    ]
    if texts:
        yield Finding("lost_images", f"rejected images by class: {abbreviate(texts)}")


def _largest(table: ClassTable) -> str:
    if not (largest := table.largest_group):
        return "none"
    return f"{largest[0]}, {largest[1]:,} images"


def _classes(texts: Sequence[str]) -> str:
    return f"{'class' if len(texts) == 1 else 'classes'} {abbreviate(list(texts))}"
