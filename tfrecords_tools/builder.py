"""From a folder of images to a data set directory.

Every image is read once, and its record goes straight into the shard where it belongs if nothing is
rejected and no image occurs twice; where that does not hold, the shards are written once more from
those first ones. All orders follow from names and hashes: any worker count gives the same bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import importlib.metadata
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.build_steps.contact_sheets import Sheet, contact_sheet
from tfrecords_tools.build_steps.duplicates import copies, settle
from tfrecords_tools.build_steps.first_pass import Spool
from tfrecords_tools.build_steps.kept_splits import KeptSplits, read_kept_splits
from tfrecords_tools.build_steps.near_duplicates import (
    NearDuplicates,
    find_across_splits,
    near_duplicates_csv,
)
from tfrecords_tools.build_steps.plan import Plan, Planner
from tfrecords_tools.build_steps.prepare import Runner
from tfrecords_tools.build_steps.report import build_report, rejected_csv
from tfrecords_tools.build_steps.second_pass import Shard, divide, write_shard
from tfrecords_tools.build_steps.splits import DEFAULT_SPLITS, check_shares
from tfrecords_tools.build_steps.threads import ThreadRunner
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BEAM, BuildOptions
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.reader import DatasetInfo, read_info
from tfrecords_tools.records.schema import (
    BUILD_REPORT,
    CONTACT_SHEETS,
    DATASET_INFO,
    NEAR_DUPLICATES,
    REJECTED,
    shard_name,
)
from tfrecords_tools.records.writer import ShardedSplit, write_metadata
from tfrecords_tools.sources import Rejection, Source, find
from tfrecords_tools.sources.files import HIDDEN_FOLDER, has_image_suffix
from tfrecords_tools.sources.label_map import EXCLUDED

REPORTED_VERSIONS = ("numpy", "pillow", "tensorflow", "tensorflow-datasets")
NOT_MEANT = (EXCLUDED, HIDDEN_FOLDER)
"""Why files are rejected that nobody wanted in the data set."""
NOT_THE_CONTENT = ("name", "splits", "workers", "runner", "beam_pipeline_options")
"""Options that do not shape the data set, or are told of elsewhere."""


@dataclasses.dataclass(frozen=True)
class BuildReport:
    """What a build made.

    Attributes:
        info: of the data set.
        rejections: the files that are not in it.
        lost_classes: classes without a single good image; they are not in the data set.
        near_duplicates: pairs of images in different splits that look the same.
        near_duplicates_cut_short: whether the search for them was, so that there may be more.
        without_group: images to which the group column gives no group; None without such a column.
    """

    info: DatasetInfo
    rejections: tuple[Rejection, ...]
    lost_classes: tuple[str, ...] = ()
    near_duplicates: int = 0
    near_duplicates_cut_short: bool = False
    without_group: int | None = None


def build(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str,
    overwrite: bool = False,
    **options: Any,
) -> BuildReport:
    """Builds a data set directory from a folder of labelled images.

    Args:
        images: folder of class folders, or with `labels` any folder of images.
        out: data set directory to be.
        name: of the data set: [a-z][a-z0-9_]*.
        overwrite: whether to replace `out` where it is a data set directory already.
        **options: any field of `options.BuildOptions`: labels, id_column, label_column, size, ...

    Returns:
        What was made.

    Raises:
        InputError: options or input cannot be used; nothing is left behind.
        TypeError: there is no such option.
    """
    chosen = BuildOptions(name=name, **options)
    tables = {"labels": chosen.labels, "metadata": chosen.metadata, "label_map": chosen.label_map}
    check_apart(out, {"the image folder": images, **tables})
    with (
        new_directory(out, overwrite=overwrite, marker=DATASET_INFO) as directory,
        _old_objects_left_alone(),
    ):
        made = _build_into(directory, Path(images), chosen)
    return BuildReport(
        read_info(out),
        made.rejections,
        made.lost_classes,
        near_duplicates=len(made.near.pairs),
        near_duplicates_cut_short=made.near.cut_short,
        without_group=made.without_group,
    )


@contextlib.contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """Spares the garbage collector the half a million objects that TensorFlow is made of."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@dataclasses.dataclass(frozen=True)
class _Made:
    """What became of a source: the plan that holds, and what is told of it."""

    plan: Plan
    rejections: tuple[Rejection, ...]
    lost_classes: tuple[str, ...]
    near: NearDuplicates
    without_group: int | None


def _build_into(directory: Path, images: Path, options: BuildOptions) -> _Made:
    """Writes all files of the data set."""
    source = find(images, options)
    planner = _planner(source, options)
    runner = _runner(options, directory)
    expected = planner.plan(range(len(source.records)), {})
    spool = Spool(directory, source, options.images, runner, expected)
    spool.fill()
    made = _settle(planner, spool, options)
    written = spool.as_shards(made.plan, options.name)
    if written is None:
        written = _rewrite(directory, spool, made.plan, options.name, runner)
        spool.discard()
    write_metadata(
        directory,
        name=options.name,
        class_names=made.plan.class_names,
        image_shape=(options.side, options.side, 3),
        image_format=options.encoding if options.side else None,
        columns=source.columns,
        written=written,
    )
    _tell(directory, planner, spool, made, options)
    _show(directory, planner, spool, made.plan, runner)
    return made


def _settle(planner: Planner, spool: Spool, options: BuildOptions) -> _Made:
    """Settles duplicates and leaks, and plans what is left."""
    source = planner.source
    settled = settle(source.records, copies(spool.traces, spool.pixels_hashes))
    good = np.flatnonzero(spool.traces.good).tolist()
    rows = [row for row in good if row not in settled.rejections]
    leaks = planner.leaks(rows, settled.joined)
    rows = [row for row in rows if row not in leaks]
    here = (*spool.rejections, *settled.rejections.values(), *leaks.values())
    rejections = tuple(sorted((*source.rejections, *here), key=lambda rejection: rejection.file))
    _check_share(rejections, len(rows), options.max_rejected)
    plan = planner.plan(rows, settled.joined)
    lost = source.labels - set(plan.class_names)
    near = find_across_splits(plan.members, spool.traces.perceptual, spool.greys)
    without = sum(not source.records[row].has_group for row in rows)
    without_group = without if options.group_column else None
    return _Made(plan, rejections, tuple(sorted(lost)), near, without_group)


def _rewrite(
    directory: Path, spool: Spool, plan: Plan, name: str, runner: Runner
) -> dict[str, ShardedSplit]:
    """Writes the shards of the plan from the spool."""
    parts = {split: list(divide(spool.members(plan, split))) for split in plan.members}
    shards = [
        Shard(split, shard_name(name, split, index, len(of_split)), part)
        for split, of_split in parts.items()
        for index, part in enumerate(of_split)
    ]
    num_bytes = dict.fromkeys(parts, 0)
    total = sum(map(len, plan.members.values()))
    with Progress(total=total, unit="images", description="write") as progress:
        work = functools.partial(write_shard, directory=directory)
        for shard, shard_bytes in zip(shards, runner.map(work, shards), strict=True):
            num_bytes[shard.split] += shard_bytes
            progress.update(len(shard.members))
    return {
        split: ShardedSplit(tuple(map(len, of_split)), num_bytes[split])
        for split, of_split in parts.items()
    }


def _tell(
    directory: Path, planner: Planner, spool: Spool, made: _Made, options: BuildOptions
) -> None:
    """Writes what a build says of itself."""
    records, plan = planner.source.records, made.plan
    split_of = {row: split for split, rows in plan.members.items() for row in rows}
    (directory / REJECTED).write_bytes(rejected_csv(made.rejections))
    (directory / NEAR_DUPLICATES).write_bytes(
        near_duplicates_csv(made.near, [record.image_id for record in records], split_of)
    )
    (directory / BUILD_REPORT).write_bytes(
        build_report(
            name=options.name,
            options=_reported(options) | {"splits": _shares(planner)},
            versions={name: importlib.metadata.version(name) for name in REPORTED_VERSIONS},
            members=(
                (records[row].label, split, plan.group(records[row]))
                for row, split in split_of.items()
            ),
            class_names=plan.class_names,
            lost_classes=made.lost_classes,
            rejections=made.rejections,
            joined_groups=plan.joined,
            near_duplicates=made.near,
            re_encoded=spool.re_encoded,
            profiles_ignored=spool.with_profile,
            without_group=made.without_group,
            input_fingerprint=spool.fingerprint,
        )
    )


def _show(directory: Path, planner: Planner, spool: Spool, plan: Plan, runner: Runner) -> None:
    """Writes a contact sheet for each class."""
    labels = [record.label for record in planner.source.records]
    rows = [row for of_split in plan.members.values() for row in of_split]
    counts = Counter(labels[row] for row in rows)
    shown: dict[str, list[np.ndarray]] = {name: [] for name in plan.class_names}
    for row in rows:
        if row in spool.thumbnails:
            shown[labels[row]].append(spool.thumbnails[row])
    sheets = [
        Sheet(label, name, f"{name}: {len(shown[name])} of {counts[name]:,} images", shown[name])
        for label, name in enumerate(plan.class_names)
    ]
    (directory / CONTACT_SHEETS).mkdir()
    for sheet, png in zip(sheets, runner.map(contact_sheet, sheets), strict=True):
        (directory / CONTACT_SHEETS / sheet.file).write_bytes(png)


def _reported(options: BuildOptions) -> dict[str, Any]:
    """Options that shape the data set, tables by their names alone."""
    told: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in NOT_THE_CONTENT or value is None:
            continue
        if field.name in ("labels", "metadata", "label_map", "keep_splits"):
            value = Path(value).name
        told[field.name] = dict(value) if isinstance(value, dict) else value
    return told


def _shares(planner: Planner) -> dict[str, str] | str:
    if planner.shares is None:
        return "as the source gives them"
    return {split: str(share) for split, share in planner.shares.items()}


def _planner(source: Source, options: BuildOptions) -> Planner:
    if source.gives_splits:
        if options.splits or options.keep_splits:
            raise InputError(
                f"{source.root} gives the split of each image: leave splits and keep_splits out"
            )
        return Planner(source, None, options.seed, KeptSplits())
    shares = check_shares(options.splits or DEFAULT_SPLITS)
    known = KeptSplits()
    if options.keep_splits:
        known = read_kept_splits(options.keep_splits)
        known.check_met(source.records, str(options.keep_splits))
    return Planner(source, shares, options.seed, known)


def _runner(options: BuildOptions, directory: Path) -> Runner:
    if options.runner != BEAM:
        return ThreadRunner(options.workers)
    try:
        from tfrecords_tools.build_steps.beam import BeamRunner
    except ModuleNotFoundError as error:
        raise InputError(
            f"runner {BEAM!r} needs Apache Beam ({error}): pip install 'skin-synth[beam]'"
        ) from error
    return BeamRunner(options.beam_pipeline_options, directory)


def _check_share(rejections: Iterable[Rejection], kept: int, max_rejected: float) -> None:
    """Fails when too many image files are rejected; what was never asked for does not count."""
    meant = [r for r in rejections if has_image_suffix(r.file) and r.reason not in NOT_MEANT]
    if kept == 0:
        raise InputError(f"no image is left, {len(meant)} are rejected: {_examples(meant)}")
    share = len(meant) / (len(meant) + kept)
    if share > max_rejected:
        raise InputError(
            f"{len(meant)} of {len(meant) + kept} images are rejected ({share:.1%}, allowed are "
            f"{max_rejected:.1%}): {_examples(meant)}; mend them, or raise --max_rejected"
        )


def _examples(rejections: list[Rejection]) -> str:
    return "; ".join(f"{r.file}: {r.reason} ({r.detail})" for r in rejections[:3])
