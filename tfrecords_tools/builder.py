"""From a folder of images to a data set directory.

Images are decoded once, by threads, into a spool. Then duplicates are settled, groups get their
splits, and the shards are written from the spool. All orders follow from names and hashes: any
worker count gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

from tfrecords_tools.atomic import new_directory
from tfrecords_tools.duplicates import Settled, settle
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.progress import track
from tfrecords_tools.reader import DatasetInfo, read_info, read_records
from tfrecords_tools.report import build_report, rejected_csv
from tfrecords_tools.schema import BUILD_REPORT, REJECTED, Record, parse_record, serialize_record
from tfrecords_tools.sources import (
    ImageRecord,
    Rejection,
    Source,
    from_class_folders,
    from_csv,
    has_image_suffix,
)
from tfrecords_tools.splits import DEFAULT_SPLITS, assign_splits, check_shares
from tfrecords_tools.spool import Spool
from tfrecords_tools.writer import write_files

REPORTED_VERSIONS = ("numpy", "pillow", "tensorflow", "tensorflow-datasets")


@dataclasses.dataclass(frozen=True)
class BuildReport:
    """What a build made.

    Attributes:
        info: of the data set.
        rejections: the files that are not in it.
        lost_classes: classes of which every image was rejected; they are not in the data set.
    """

    info: DatasetInfo
    rejections: tuple[Rejection, ...]
    lost_classes: tuple[str, ...] = ()


def build(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str,
    labels: str | os.PathLike[str] | None = BuildOptions.labels,
    id_column: str = BuildOptions.id_column,
    label_column: str = BuildOptions.label_column,
    group_column: str | None = BuildOptions.group_column,
    size: int | str = BuildOptions.size,
    splits: Mapping[str, str | float] | None = BuildOptions.splits,
    keep_splits: str | os.PathLike[str] | None = BuildOptions.keep_splits,
    min_side: int = BuildOptions.min_side,
    max_rejected: float = BuildOptions.max_rejected,
    seed: int = BuildOptions.seed,
    workers: int | None = BuildOptions.workers,
    overwrite: bool = False,
) -> BuildReport:
    """Builds a data set directory from a folder of labelled images.

    Args:
        images: folder of class folders, or with `labels` any folder of images.
        out: data set directory to be.
        name: of the data set: [a-z][a-z0-9_]*.
        labels: CSV with one row an image.
        id_column: its column that names the image file.
        label_column: its column that names the class.
        group_column: its column that names lesion or patient; None where there is none.
        size: side of the square that images are cropped and resized to, in pixels, or "original".
        splits: share of each split, by name.
        keep_splits: data set directory whose groups keep their splits.
        min_side: images with a shorter side are rejected, in pixels.
        max_rejected: the build fails when a larger share of the image files is rejected.
        seed: of the splits.
        workers: threads; by default one a core.
        overwrite: whether to replace `out` where it is there already.

    Returns:
        What was made.

    Raises:
        InputError: options or input cannot be used; nothing is left behind.
    """
    options = BuildOptions(
        name=name,
        labels=labels,
        id_column=id_column,
        label_column=label_column,
        group_column=group_column,
        size=size,
        splits=splits,
        keep_splits=keep_splits,
        min_side=min_side,
        max_rejected=max_rejected,
        seed=seed,
        workers=workers,
    )
    _check_apart(Path(images), Path(out), labels)
    with new_directory(out, overwrite=overwrite) as directory:
        plan = _build_into(directory, Path(images), options)
    return BuildReport(read_info(out), plan.rejections, plan.lost_classes)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What goes where, before anything is written.

    Attributes:
        records: images of the data set, sorted by id.
        groups: group by image id.
        splits: split by image id.
        class_names: in the order of the labels.
        lost_classes: as in `BuildReport`.
        rejections: all files that are not in the data set.
        fingerprint: of the input.
    """

    records: tuple[ImageRecord, ...]
    groups: Mapping[str, str]
    splits: Mapping[str, str]
    class_names: tuple[str, ...]
    lost_classes: tuple[str, ...]
    rejections: tuple[Rejection, ...]
    fingerprint: str


def _build_into(directory: Path, images: Path, options: BuildOptions) -> _Plan:
    """Writes all files of the data set."""
    shares = check_shares(options.splits or DEFAULT_SPLITS)
    source = _find(images, options)
    known = _known_splits(options.keep_splits) if options.keep_splits else {}
    with Spool(directory) as spool:
        rejected = spool.fill(
            source.records, size=options.side, min_side=options.min_side, workers=options.workers
        )
        plan = _plan(images, source, spool, rejected, shares, known, options)
        write_files(
            directory,
            name=options.name,
            class_names=plan.class_names,
            image_shape=(options.side, options.side, 3),
            image_format="png" if options.side else None,
            splits={split: _serialized(plan, split, spool, options.seed) for split in shares},
        )
    (directory / BUILD_REPORT).write_bytes(_report(plan, shares, options))
    (directory / REJECTED).write_bytes(rejected_csv(plan.rejections))
    return plan


def _plan(
    images: Path,
    source: Source,
    spool: Spool,
    rejected: Iterable[Rejection],
    shares: Mapping[str, Fraction],
    known: Mapping[str, str],
    options: BuildOptions,
) -> _Plan:
    readable = [record for record in source.records if record.image_id in spool.images]
    settled = settle(readable, {id_: image.pixels_hash for id_, image in spool.images.items()})
    rejections = (*source.rejections, *rejected, *settled.rejections)
    _check_share(rejections, len(settled.records), options.max_rejected)
    class_names = _class_names(settled.records, images)
    split_of = assign_splits(
        [(settled.groups[record.image_id], record.label) for record in settled.records],
        shares,
        seed=options.seed,
        pinned=_pins(readable, settled, known),
    )
    return _Plan(
        records=settled.records,
        groups=settled.groups,
        splits={r.image_id: split_of[settled.groups[r.image_id]] for r in settled.records},
        class_names=class_names,
        lost_classes=tuple(sorted({r.label for r in source.records} - set(class_names))),
        rejections=rejections,
        fingerprint=_fingerprint(source, spool),
    )


def _check_apart(images: Path, out: Path, labels: str | os.PathLike[str] | None) -> None:
    """Keeps a build from replacing its own input, or from meeting its own output."""
    place = out.resolve()
    for source in (images, Path(labels) if labels else images):
        if source.resolve().is_relative_to(place):
            raise InputError(
                f"{source} lies in {out}, which would be replaced: choose another --out"
            )
    if place.is_relative_to(images.resolve()):
        raise InputError(f"{out} lies in the image folder {images}: choose another --out")


def _find(images: Path, options: BuildOptions) -> Source:
    if options.labels is None:
        return from_class_folders(images)
    return from_csv(
        images,
        Path(options.labels),
        id_column=options.id_column,
        label_column=options.label_column,
        group_column=options.group_column,
    )


def _known_splits(directory: str | os.PathLike[str]) -> dict[str, str]:
    """Split of each group of a data set directory."""
    return {
        parse_record(serialized).group: split
        for split in read_info(directory).splits
        for serialized in read_records(directory, split)
    }


def _pins(
    records: Iterable[ImageRecord], settled: Settled, known: Mapping[str, str]
) -> dict[str, str]:
    """Split of each group as it is now, where one of the groups it was joined from is known."""
    pins: dict[str, str] = {}
    for record in records:
        if record.group not in known:
            continue
        group, split = settled.groups[record.image_id], known[record.group]
        if pins.setdefault(group, split) != split:
            raise InputError(
                f"group {group!r} and a group that shares an image with it are in splits "
                f"{pins[group]} and {split} of the data set to keep: they are one group now; "
                "give both the same group there, or remove the shared image"
            )
    return pins


def _check_share(rejections: Iterable[Rejection], kept: int, max_rejected: float) -> None:
    """Fails when too many image files are rejected; files of other kinds do not count."""
    meant = [rejection for rejection in rejections if has_image_suffix(rejection)]
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


def _class_names(records: Iterable[ImageRecord], images: str | os.PathLike[str]) -> tuple[str, ...]:
    names = tuple(sorted({record.label for record in records}))
    if len(names) < 2:
        raise InputError(f"{images} has one class only, {names[0]!r}: two or more are needed")
    return names


def _report(plan: _Plan, shares: Mapping[str, Fraction], options: BuildOptions) -> bytes:
    return build_report(
        name=options.name,
        # No paths: the same input elsewhere gives the same bytes.
        options={
            "size": options.size,
            "splits": {split: str(share) for split, share in shares.items()},
            "min_side": options.min_side,
            "max_rejected": options.max_rejected,
            "seed": options.seed,
            "keep_splits": bool(options.keep_splits),
            "grouped": options.group_column is not None,
        },
        versions={package: importlib.metadata.version(package) for package in REPORTED_VERSIONS},
        members=[(r.label, plan.splits[r.image_id], plan.groups[r.image_id]) for r in plan.records],
        class_names=plan.class_names,
        lost_classes=plan.lost_classes,
        rejections=plan.rejections,
        input_fingerprint=plan.fingerprint,
    )


def _fingerprint(source: Source, spool: Spool) -> str:
    """Sha256 over file, label, group and bytes of every image that could be read."""
    digest = hashlib.sha256()
    for record in source.records:
        if found := spool.images.get(record.image_id):
            fields = (record.file, record.label, record.group, found.bytes_hash)
            digest.update("\0".join(fields).encode() + b"\n")
    return digest.hexdigest()


def _serialized(plan: _Plan, split: str, spool: Spool, seed: int) -> Iterator[bytes]:
    """Records of a split, in the order of a hash of their ids: no reader meets sorted classes."""

    def rank(record: ImageRecord) -> bytes:
        return hashlib.sha256(f"{seed}\0{record.image_id}".encode()).digest()

    label_ids = {name: index for index, name in enumerate(plan.class_names)}
    members = sorted((r for r in plan.records if plan.splits[r.image_id] == split), key=rank)
    for record in track(members, total=len(members), unit="images", description=f"write {split}"):
        yield serialize_record(
            Record(
                image=spool.read(record.image_id),
                label=label_ids[record.label],
                image_id=record.image_id,
                group=plan.groups[record.image_id],
            )
        )
