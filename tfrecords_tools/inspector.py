"""`tfrecords-tools inspect`: describes the content of a data set directory."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import Any

from tfrecords_tools.json_reading import Part, read_json
from tfrecords_tools.records.reader import DatasetInfo, read, read_info
from tfrecords_tools.records.schema import BUILD_REPORT, MISSING, NEAR_DUPLICATES, ORIGIN_SYNTHETIC


def inspect(directory: str | os.PathLike[str]) -> list[str]:
    """Returns lines of text with classes by split, sizes and provenance.

    Raises:
        InputError: `directory` is no data set, or a record is damaged.
    """
    info = read_info(directory)
    counts: Counter[tuple[int, str]] = Counter()
    origins: Counter[str] = Counter()
    synthetic: Counter[str] = Counter()
    groups: dict[str, set[str]] = {split: set() for split in info.splits}
    missing: Counter[str] = Counter()
    for split in info.splits:
        for record in read(directory, split):
            counts[record.label, split] += 1
            origins[record.origin] += 1
            synthetic[split] += record.origin == ORIGIN_SYNTHETIC
            groups[split].add(record.group)
            for column in info.columns:
                value = record.extras[column.name]
                is_nan = value != value
                missing[column.name] += is_nan or value == MISSING[column.kind]
    more = {"groups": list(map(len, groups.values()))}
    if synthetic.total():
        more["synthetic"] = [synthetic[split] for split in info.splits]
    lines = [*_head(info, origins), "", *_table(info, counts, more)]
    if info.columns:
        columns = (f"{c.name} ({c.kind}, {missing[c.name]:,} missing)" for c in info.columns)
        lines += ["", f"extra columns: {', '.join(columns)}"]
    return [*lines, *_provenance(info.directory / BUILD_REPORT)]


def _head(info: DatasetInfo, origins: Counter[str]) -> list[str]:
    height, width, _ = info.image_shape
    size = f"{width}x{height} pixels" if height and width else "of several sizes"
    shards = [shard for files in info.splits.values() for shard in files.shards]
    megabytes = sum(shard.stat().st_size for shard in shards if shard.exists()) / 2**20
    by_origin = ", ".join(f"{count:,} {origin}" for origin, count in sorted(origins.items()))
    return [
        f"{info.name}: {origins.total():,} images {size} ({by_origin}), "
        f"{len(info.class_names)} classes",
        f"{len(shards)} shards, {megabytes:.1f} MiB",
    ]


def _table(
    info: DatasetInfo, counts: Counter[tuple[int, str]], more: dict[str, list[int]]
) -> list[str]:
    by_class = {
        name: [counts[label, split] for split in info.splits]
        for label, name in enumerate(info.class_names)
    }
    totals = list(map(sum, zip(*by_class.values(), strict=True)))
    rows = [["class", *info.splits, "all"]]
    for name, row in (*by_class.items(), ("all", totals), *more.items()):
        rows.append([name, *(f"{number:,}" for number in (*row, sum(row)))])
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return ["  ".join([name.ljust(first), *map(str.rjust, cells, others)]) for name, *cells in rows]


def _provenance(path: Path) -> list[str]:
    if not path.is_file():
        return ["", f"no {BUILD_REPORT}: not built by tfrecords-tools build"]
    report = read_json(path, _Report, repair="build the data set again", fault="is damaged")
    reasons = ", ".join(f"{n} {reason}" for reason, n in report.rejected_by_reason.items())
    options = ", ".join(f"{name} {_text(v)}" for name, v in report.options.items())
    cut_short = report.near_duplicates_cut_short
    return [
        "",
        f"rejected files: {report.rejected}" + (f" ({reasons})" if reasons else ""),
        f"images of different splits that look the same: {report.near_duplicates}"
        + (f" pairs, see {NEAR_DUPLICATES}" if report.near_duplicates else "")
        + ("; there may be more, because the search was cut short" if cut_short else ""),
        *(f"finding: {finding.text}" for finding in report.findings),
        f"built with: {options}",
        f"input fingerprint: {report.input_fingerprint}",
    ]


@dataclasses.dataclass(frozen=True)
class _Finding(Part):
    text: str


@dataclasses.dataclass(frozen=True)
class _Report(Part):
    """What is shown of a build report."""

    rejected: int
    rejected_by_reason: dict[str, int]
    options: dict[str, Any]
    input_fingerprint: str
    near_duplicates: int
    near_duplicates_cut_short: bool
    findings: tuple[_Finding, ...] = ()


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={item}" for name, item in value.items())
    return str(value)
