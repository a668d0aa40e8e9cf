"""Writes the reports of a build: build_report.json, rejected.csv and near_duplicates.csv."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfrecords_tools.build_steps.first_pass import ImageFacts
from tfrecords_tools.build_steps.image_findings import count_images
from tfrecords_tools.build_steps.near_duplicates import NearDuplicates, near_duplicates_csv
from tfrecords_tools.build_steps.plan import Plan, Planner
from tfrecords_tools.build_steps.table_findings import ClassTable
from tfrecords_tools.csv_writing import spreadsheet_csv
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.records.schema import BUILD_REPORT, NEAR_DUPLICATES, REJECTED, SPLITS
from tfrecords_tools.sources import Finding, Rejection

BUILD_REPORT_VERSION = 2
REJECTED_COLUMNS = ("file", "reason", "detail")
REPORTED_VERSIONS = ("numpy", "pillow", "tensorflow", "tensorflow-datasets")
UNREPORTED_OPTIONS = (
    *("name", "splits", "accept_findings", "workers", "runner", "beam_pipeline_options"),
)
"""Options that do not shape the data set, or are reported separately."""
PATH_OPTIONS = ("labels", "metadata", "label_map", "keep_splits")


@dataclasses.dataclass(frozen=True)
class BuildOutcome:
    """The result of a build for the images of a source.

    Attributes:
        plan: of the data set.
        rejections: files that are not in it, sorted by name.
        lost_classes: classes without a good image.
        near_duplicates: pairs across splits.
        without_group: number of images without a group; None without a group column.
        table: numbers of images by class and split.
        findings: what a person should know.
    """

    plan: Plan
    rejections: tuple[Rejection, ...]
    lost_classes: tuple[str, ...]
    near_duplicates: NearDuplicates
    without_group: int | None
    table: ClassTable
    findings: tuple[Finding, ...] = ()


def write_reports(
    directory: Path,
    options: BuildOptions,
    planner: Planner,
    facts: ImageFacts,
    outcome: BuildOutcome,
) -> None:
    """Writes the three reports of a build into its directory."""
    image_ids = [record.image_id for record in planner.source.records]
    split_of = {row: split for split, rows in outcome.plan.members.items() for row in rows}
    near = near_duplicates_csv(outcome.near_duplicates, image_ids, split_of)
    (directory / REJECTED).write_bytes(rejected_csv(outcome.rejections))
    (directory / NEAR_DUPLICATES).write_bytes(near)
    (directory / BUILD_REPORT).write_bytes(build_report(options, planner, facts, outcome))


def build_report(
    options: BuildOptions, planner: Planner, facts: ImageFacts, outcome: BuildOutcome
) -> bytes:
    """Returns the JSON report: no time, host or path, so that equal builds give equal bytes."""
    plan, near, rejections = outcome.plan, outcome.near_duplicates, outcome.rejections
    largest = outcome.table.largest_group
    images, counts = count_images(facts, plan), Counter[tuple[str, str]]()
    groups: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split, rows in plan.members.items():
        for record in (planner.source.records[row] for row in rows):
            counts[record.label, split] += 1
            groups[split].add(plan.group(record))
    splits: dict[str, str] | str = "as the source gives them"
    if planner.shares is not None:
        splits = {split: str(share) for split, share in planner.shares.items()}
    fold = {}
    if planner.fold:
        fold = {"folds": planner.fold.count, "fold": planner.fold.number + 1}
    report = {
        "schema_version": BUILD_REPORT_VERSION,
        "name": options.name,
        "options": _reported(options) | {"splits": splits} | fold,
        "versions": {name: importlib.metadata.version(name) for name in REPORTED_VERSIONS},
        "input_fingerprint": facts.fingerprint,
        "images": counts.total(),
        "classes": {
            label: {split: counts[label, split] for split in SPLITS} for label in plan.class_names
        },
        "lost_classes": list(outcome.lost_classes),
        "groups": {split: len(members) for split, members in groups.items()},
        "images_without_group": outcome.without_group,
        "rejected": len(rejections),
        "rejected_by_reason": dict(sorted(Counter(r.reason for r in rejections).items())),
        "joined_groups": dict(sorted(plan.joined.items())),
        "largest_group": dict([largest]) if largest else None,
        "lost_by_class": dict(outcome.table.lost),
        "findings": [dataclasses.asdict(finding) for finding in outcome.findings],
        "near_duplicates": len(near.pairs),
        "near_duplicates_cut_short": near.cut_short,
        "re_encoded": images.re_encoded,
        "re_encoded_bytes": {"files": images.files_bytes, "images": images.images_bytes},
        "synthetic": images.synthetic,
        "identifying_metadata": dict(images.identifying),
        "colour_profiles_ignored": images.with_profile,
    }
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()


def rejected_csv(rejections: Iterable[Rejection]) -> bytes:
    """Returns the rejections as a UTF-8 CSV with `REJECTED_COLUMNS`, sorted by file."""
    ordered = sorted(rejections, key=lambda rejection: rejection.file)
    rows = ((each.file, each.reason, each.detail) for each in ordered)
    return spreadsheet_csv(REJECTED_COLUMNS, rows)


def _reported(options: BuildOptions) -> dict[str, Any]:
    """Returns the options that shape the data set; a path is reduced to its name."""
    return {
        name: Path(value).name if name in PATH_OPTIONS else value
        for name, value in vars(options).items()
        if name not in UNREPORTED_OPTIONS and value is not None
    }
