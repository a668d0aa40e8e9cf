"""Builds a data set directory from a folder of images.

Every image is read once, and its record goes straight into its shard. If images are rejected or
occur twice, the shards are written a second time from the first ones. All orders follow from names
and hashes, so any number of workers gives the same bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.build_steps.contact_sheets import write_contact_sheets
from tfrecords_tools.build_steps.duplicates import find_duplicates, resolve_duplicates
from tfrecords_tools.build_steps.first_pass import ImageFacts, read_images
from tfrecords_tools.build_steps.image_findings import (
    count_images,
    image_findings,
    reject_copies_of_synthetic,
    reject_masks,
)
from tfrecords_tools.build_steps.near_duplicates import find_across_splits, look_alike_findings
from tfrecords_tools.build_steps.plan import Planner
from tfrecords_tools.build_steps.report import BuildOutcome, write_reports
from tfrecords_tools.build_steps.reread import ImageFiles
from tfrecords_tools.build_steps.runners import Runner, ThreadRunner
from tfrecords_tools.build_steps.second_pass import write_shards
from tfrecords_tools.build_steps.splits import Fold, check_folds
from tfrecords_tools.build_steps.spool import Spool
from tfrecords_tools.build_steps.table_findings import (
    class_table,
    refuse_traps,
    table_findings,
)
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BEAM, BuildOptions, PathLike
from tfrecords_tools.records.reader import DatasetInfo, read, read_info
from tfrecords_tools.records.schema import DATASET_INFO, TEST
from tfrecords_tools.records.writer import DatasetDescription, write_metadata
from tfrecords_tools.sources import Finding, Rejection, list_source

FOLDS_CSV = "folds.csv"
FOLDS_COLUMNS = ("image_id", "group", "label", "fold")


@dataclasses.dataclass(frozen=True)
class BuildReport:
    """The result of a build.

    Attributes:
        info: metadata of the data set.
        rejections, lost_classes, without_group: as in `build_steps.report.BuildOutcome`.
        near_duplicates: number of pairs of images in different splits that look the same.
        near_duplicates_cut_short: whether there may be more pairs.
        findings: what a person should know before the data set is used.
    """

    info: DatasetInfo
    rejections: tuple[Rejection, ...]
    lost_classes: tuple[str, ...] = ()
    near_duplicates: int = 0
    near_duplicates_cut_short: bool = False
    without_group: int | None = None
    findings: tuple[Finding, ...] = ()


def build(
    images: PathLike,
    out: PathLike,
    options: BuildOptions | None = None,
    *,
    overwrite: bool = False,
    **fields: Any,
) -> BuildReport:
    """Builds a data set directory from a folder of labelled images.

    Args:
        images: folder of class folders, or with `labels` any folder of images.
        out: the data set directory to make.
        options: options of the build; None: they are made from `fields`.
        overwrite: whether to replace `out` if it is a data set directory.
        **fields: of `options.BuildOptions`, such as name, labels and size; they replace `options`.

    Raises:
        InputError: options or input cannot be used; nothing is left behind.
        TypeError: an option is unknown, or the name is missing.
    """
    options = _options(images, out, options, fields)
    with new_directory(out, overwrite=overwrite, marker=DATASET_INFO) as directory:
        outcome = _run(Path(images), directory, options)
    return _report(out, outcome)


def build_folds(
    images: PathLike,
    out: PathLike,
    options: BuildOptions | None = None,
    *,
    folds: int,
    overwrite: bool = False,
    **fields: Any,
) -> tuple[BuildReport, ...]:
    """Builds the data sets of a cross-validation: `out`/fold_1, fold_2, ...

    Each group is in one fold. Data set k has fold k as test split, the next one as validation, the
    others as training. All are read from the images anew. `FOLDS_CSV` in `out` holds the fold of
    each image for other programs.

    Args:
        images: as in `build`.
        out: the folder to make.
        options: as in `build`, without splits.
        folds: number of folds, 3 or more.
        overwrite: whether to replace `out` if this function made it.
        **fields: as in `build`.

    Raises:
        InputError, TypeError: as in `build`.
    """
    options = _options(images, out, options, fields)
    check_folds(folds)
    rounds = [Fold(number, folds) for number in range(folds)]
    names = [f"fold_{fold.number + 1}" for fold in rounds]
    with new_directory(out, overwrite=overwrite, marker=FOLDS_CSV) as directory:
        outcomes, rows = [], []
        for name, fold in zip(names, rounds, strict=True):
            (directory / name).mkdir()
            outcomes.append(_run(Path(images), directory / name, options, fold))
            for record in read(directory / name, TEST):
                label = outcomes[-1].plan.class_names[record.label]
                rows.append((record.image_id, record.group, label, fold.number + 1))
        (directory / FOLDS_CSV).write_bytes(csv_bytes(FOLDS_COLUMNS, sorted(rows)))
    places = [Path(out) / name for name in names]
    return tuple(map(_report, places, outcomes))


def _options(
    images: PathLike, out: PathLike, options: BuildOptions | None, fields: dict[str, Any]
) -> BuildOptions:
    options = BuildOptions(**fields) if options is None else dataclasses.replace(options, **fields)
    tables = {"labels": options.labels, "metadata": options.metadata}
    check_apart(out, {"the image folder": images, **tables, "label_map": options.label_map})
    return options


def _report(directory: PathLike, outcome: BuildOutcome) -> BuildReport:
    return BuildReport(
        read_info(directory),
        outcome.rejections,
        outcome.lost_classes,
        near_duplicates=len(outcome.near_duplicates.pairs),
        near_duplicates_cut_short=outcome.near_duplicates.cut_short,
        without_group=outcome.without_group,
        findings=outcome.findings,
    )


@contextlib.contextmanager
def _garbage_collected_less() -> Iterator[None]:
    """Lets the garbage collector skip the half a million objects of TensorFlow."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@_garbage_collected_less()
def _run(
    images: Path, directory: Path, options: BuildOptions, fold: Fold | None = None
) -> BuildOutcome:
    """Runs the steps of a build in order; `directory` is empty."""
    source = list_source(images, options)
    planner = Planner.from_options(source, options, fold)
    runner = _make_runner(options, directory)
    expected = planner.plan(range(len(source.records)), {})
    if not options.accept_findings:
        # Before hours of reading.
        at_first = class_table(source.records, expected, planner.shares)
        refuse_traps((*source.findings, *table_findings(at_first)))
    with Spool(directory, source.records, expected) as spool:
        facts = read_images(source, options.images, runner, spool, expected)
    outcome = _resolve(planner, options, facts, runner)
    plan = outcome.plan
    written = spool.as_shards(plan, options.name)
    if written is None:
        members = {split: spool.members(plan, split) for split in plan.members}
        written = write_shards(directory, options.name, members, runner)
        spool.discard()
    description = DatasetDescription(
        name=options.name,
        class_names=plan.class_names,
        image_shape=(options.side, options.side, 3),
        image_format=options.encoding if options.side else None,
        columns=source.columns,
    )
    write_metadata(directory, description, written)
    write_reports(directory, options, planner, facts, outcome)
    write_contact_sheets(directory, source.records, plan, facts.thumbnails, runner)
    return outcome


def _resolve(
    planner: Planner, options: BuildOptions, facts: ImageFacts, runner: Runner
) -> BuildOutcome:
    """Resolves duplicates and leaks, and plans the images that are left."""
    source, hashes = planner.source, facts.hashes
    files = ImageFiles(source, options.images, runner)
    masks = reject_masks(source.records, facts)
    synthetic = frozenset(np.flatnonzero(hashes.good & facts.synthetic).tolist())
    same = find_duplicates(hashes, files.pixels_hashes)
    rejected = masks | reject_copies_of_synthetic(source.records, same, synthetic)
    same = [[row for row in rows if row not in rejected] for rows in same]
    resolved = resolve_duplicates(source.records, [rows for rows in same if len(rows) > 1])
    rejected |= resolved.rejections
    rows = [row for row in np.flatnonzero(hashes.good).tolist() if row not in rejected]
    rejected |= planner.outside_training(rows, resolved.joined, synthetic)
    rows = [row for row in rows if row not in rejected]
    rejected |= planner.leaks(rows, resolved.joined)
    rows = [row for row in rows if row not in rejected]
    new = (*facts.rejections, *rejected.values())
    rejections = sorted((*source.rejections, *new), key=lambda rejection: rejection.file)
    _check_share(rejections, len(rows), options.max_rejected)
    plan = planner.plan(rows, resolved.joined, synthetic)
    lost = sorted(source.labels - set(plan.class_names))
    near = find_across_splits(plan.members, hashes.perceptual, files.greys)
    without_group = None
    if options.group_column:
        without_group = sum(not source.records[row].has_group for row in rows)
    table = class_table(source.records, plan.without(synthetic), planner.shares, rejections)
    of_images = image_findings(count_images(facts, plan), len(masks), options)
    labels = [record.label for record in source.records]
    alike = look_alike_findings(near, plan.members, labels)
    findings = (*source.findings, *table_findings(table), *of_images, *alike)
    if not options.accept_findings:
        refuse_traps(findings)
    return BuildOutcome(plan, tuple(rejections), tuple(lost), near, without_group, table, findings)


def _make_runner(options: BuildOptions, directory: Path) -> Runner:
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
    """Fails if too many image files are rejected; files that nobody wants do not count."""
    counted = [rejection for rejection in rejections if rejection.wanted]
    examples = "; ".join(f"{r.file}: {r.reason} ({r.detail})" for r in counted[:3])
    if kept == 0:
        raise InputError(f"no image is left, {len(counted)} are rejected: {examples}")
    share = len(counted) / (len(counted) + kept)
    if share > max_rejected:
        raise InputError(
            f"{len(counted)} of {len(counted) + kept} images are rejected ({share:.1%}, allowed "
            f"are {max_rejected:.1%}): {examples}; repair them, or raise --max_rejected"
        )
