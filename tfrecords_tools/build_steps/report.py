"""What a build says of itself: build_report.json and rejected.csv."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tfrecords_tools.build_steps.near_duplicates import NearDuplicates
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.sources import Rejection

SCHEMA_VERSION = 2
COLUMNS = ("file", "reason", "detail")


def build_report(
    *,
    name: str,
    options: Mapping[str, Any],
    versions: Mapping[str, str],
    members: Iterable[tuple[str, str, str]],
    class_names: Iterable[str],
    lost_classes: Iterable[str],
    rejections: Iterable[Rejection],
    joined_groups: Mapping[str, str],
    near_duplicates: NearDuplicates,
    re_encoded: int,
    profiles_ignored: int,
    without_group: int | None,
    input_fingerprint: str,
) -> bytes:
    """The report as JSON; equal builds give equal bytes, so no time, host or path is in it.

    Args:
        name: of the data set.
        options: that shaped it.
        versions: of the libraries that did.
        members: (label, split, group) of each image in it.
        class_names: in the order of the labels.
        lost_classes: classes without a single good image.
        rejections: files that are not in it.
        joined_groups: new name of each group that was joined to another.
        near_duplicates: across splits.
        re_encoded: images whose bytes are not those of the file.
        profiles_ignored: images with a colour profile other than sRGB, which is not applied.
        without_group: images that a table with groups gives none; None where there is none such.
        input_fingerprint: of the files read.
    """
    members, rejections = list(members), list(rejections)
    counts = Counter((label, split) for label, split, _ in members)
    groups = {split: {g for _, s, g in members if s == split} for split in SPLITS}
    report = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "options": dict(options),
        "versions": dict(versions),
        "input_fingerprint": input_fingerprint,
        "images": len(members),
        "classes": {
            label: {split: counts[label, split] for split in SPLITS} for label in class_names
        },
        "lost_classes": list(lost_classes),
        "groups": {split: len(groups[split]) for split in SPLITS},
        "images_without_group": without_group,
        "rejected": len(rejections),
        "rejected_by_reason": dict(sorted(Counter(r.reason for r in rejections).items())),
        "joined_groups": dict(sorted(joined_groups.items())),
        "near_duplicates": len(near_duplicates.pairs),
        "near_duplicates_cut_short": near_duplicates.cut_short,
        "re_encoded": re_encoded,
        "colour_profiles_ignored": profiles_ignored,
    }
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()


def rejected_csv(rejections: Iterable[Rejection]) -> bytes:
    """The rejections as a UTF-8 CSV with columns file, reason and detail, sorted by file."""
    ordered = sorted(rejections, key=lambda rejection: rejection.file)
    return csv_bytes(COLUMNS, ((r.file, r.reason, r.detail) for r in ordered))
