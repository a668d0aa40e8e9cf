"""From a folder of images to a data set directory.

Images are decoded once, by threads, into a spool file, so that memory does not grow with their
size; what stays in memory is a line an image. Then duplicates are settled, groups get their
splits, and the shards are written from the spool. All orders follow from names and hashes: any
worker count gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from tfrecords_tools.duplicates import settle
from tfrecords_tools.errors import InputError
from tfrecords_tools.images import PreparedImage, Rejected, prepare
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
from tfrecords_tools.writer import write_dataset

ORIGINAL = "original"
NAME = re.compile("[a-z][a-z0-9_]*")
IN_FLIGHT_PER_WORKER = 4
"""Images read ahead for each worker: bounds the memory."""
REPORTED_VERSIONS = ("numpy", "pillow", "tensorflow", "tensorflow-datasets")


@dataclasses.dataclass(frozen=True)
class BuildReport:
    """What a build made.

    Attributes:
        info: of the data set.
        rejections: the files that are not in it.
    """

    info: DatasetInfo
    rejections: tuple[Rejection, ...]


@dataclasses.dataclass(frozen=True)
class _Spooled:
    """Where the encoded image of a record lies in the spool file, and its hashes."""

    offset: int
    length: int
    pixels_hash: str
    bytes_hash: str


def build(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str,
    labels: str | os.PathLike[str] | None = None,
    id_column: str = "image_id",
    label_column: str = "label",
    group_column: str | None = None,
    size: int | str = ORIGINAL,
    splits: Mapping[str, str | float] | None = None,
    keep_splits: str | os.PathLike[str] | None = None,
    min_side: int = 8,
    max_rejected: float = 0.1,
    seed: int = 0,
    workers: int | None = None,
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
    _check_options(name, size, min_side, max_rejected, workers)
    shares = check_shares(splits or DEFAULT_SPLITS)
    if Path(out).exists() and not overwrite:
        raise InputError(f"{out} exists already: choose another place, or give --overwrite")
    source = _find(Path(images), labels, id_column, label_column, group_column)
    pinned = _known_splits(keep_splits) if keep_splits else {}
    side = None if size == ORIGINAL else int(size)
    with tempfile.TemporaryFile() as spool:
        spooled, rejected = _read_all(source, spool, side, min_side, workers)
        readable = (record for record in source.records if record.image_id in spooled)
        settled = settle(readable, {key: value.pixels_hash for key, value in spooled.items()})
        rejections = (*source.rejections, *rejected, *settled.rejections)
        _check_share(rejections, len(settled.records), max_rejected)
        class_names = _class_names(settled.records, images)
        split_of = assign_splits(
            ((settled.groups[r.image_id], r.label) for r in settled.records),
            shares,
            seed=seed,
            pinned=pinned,
        )
        report = build_report(
            name=name,
            options={
                "size": size,
                "splits": {split: str(share) for split, share in shares.items()},
                "min_side": min_side,
                "max_rejected": max_rejected,
                "seed": seed,
                "keep_splits": bool(keep_splits),
                "grouped": group_column is not None,
            },
            versions={
                package: importlib.metadata.version(package) for package in REPORTED_VERSIONS
            },
            members=(
                (r.label, split_of[settled.groups[r.image_id]], settled.groups[r.image_id])
                for r in settled.records
            ),
            class_names=class_names,
            rejections=rejections,
            input_fingerprint=_fingerprint(source, spooled),
        )
        by_split = _in_splits(settled.records, settled.groups, split_of, shares, seed)
        info = write_dataset(
            out,
            name=name,
            class_names=class_names,
            image_shape=(side, side, 3),
            image_format="png" if side else None,
            splits={
                split: _serialized(records, settled.groups, class_names, spooled, spool, split)
                for split, records in by_split.items()
            },
            extra_files=lambda: {BUILD_REPORT: report, REJECTED: rejected_csv(rejections)},
            overwrite=overwrite,
        )
    return BuildReport(info, rejections)


def _check_options(
    name: str, size: int | str, min_side: int, max_rejected: float, workers: int | None
) -> None:
    if not NAME.fullmatch(name):
        raise InputError(f"name {name!r} does not fit {NAME.pattern}: small letters, digits, _")
    if size != ORIGINAL and (not isinstance(size, int) or size < 1):
        raise InputError(f"size must be a number of pixels or {ORIGINAL!r}, got {size!r}")
    if min_side < 1:
        raise InputError(f"min_side must be at least 1 pixel, got {min_side}")
    if not 0 <= max_rejected <= 1:
        raise InputError(f"max_rejected must be a share from 0 to 1, got {max_rejected}")
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")


def _find(
    images: Path,
    labels: str | os.PathLike[str] | None,
    id_column: str,
    label_column: str,
    group_column: str | None,
) -> Source:
    if labels is None:
        return from_class_folders(images)
    return from_csv(
        images,
        Path(labels),
        id_column=id_column,
        label_column=label_column,
        group_column=group_column,
    )


def _known_splits(directory: str | os.PathLike[str]) -> dict[str, str]:
    """Split of each group of a data set directory."""
    return {
        parse_record(serialized).group: split
        for split in read_info(directory).splits
        for serialized in read_records(directory, split)
    }


def _read_all(
    source: Source, spool: BinaryIO, size: int | None, min_side: int, workers: int | None
) -> tuple[dict[str, _Spooled], list[Rejection]]:
    """Prepares every image; good ones go to the spool, the others become rejections."""
    spooled: dict[str, _Spooled] = {}
    rejections: list[Rejection] = []

    def work(record: ImageRecord) -> PreparedImage | Rejection:
        try:
            return prepare(record, size=size, min_side=min_side)
        except Rejected as rejected:
            return Rejection(record.file, rejected.reason, rejected.detail)
        except OSError as error:
            return Rejection(record.file, "unreadable", error.strerror or str(error))

    results = _in_threads(work, source.records, workers or os.cpu_count() or 1)
    total = len(source.records)
    for record, result in track(results, total=total, unit="images", description="read"):
        if isinstance(result, Rejection):
            rejections.append(result)
        else:
            spooled[record.image_id] = _Spooled(
                spool.tell(), len(result.encoded), result.pixels_hash, result.bytes_hash
            )
            spool.write(result.encoded)
    return spooled, rejections


def _in_threads(
    work: Callable[[ImageRecord], PreparedImage | Rejection],
    records: Iterable[ImageRecord],
    workers: int,
) -> Iterator[tuple[ImageRecord, PreparedImage | Rejection]]:
    """Results in the order of the records, with a bounded number read ahead."""
    waiting: deque[tuple[ImageRecord, Future[PreparedImage | Rejection]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for record in records:
            waiting.append((record, pool.submit(work, record)))
            if len(waiting) > IN_FLIGHT_PER_WORKER * workers:
                oldest, future = waiting.popleft()
                yield oldest, future.result()
        for oldest, future in waiting:
            yield oldest, future.result()


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


def _fingerprint(source: Source, spooled: Mapping[str, _Spooled]) -> str:
    """Sha256 over file, label, group and bytes of every image that could be read."""
    digest = hashlib.sha256()
    for record in source.records:
        if found := spooled.get(record.image_id):
            fields = (record.file, record.label, record.group, found.bytes_hash)
            digest.update("\0".join(fields).encode() + b"\n")
    return digest.hexdigest()


def _in_splits(
    records: Iterable[ImageRecord],
    groups: Mapping[str, str],
    split_of: Mapping[str, str],
    shares: Mapping[str, Fraction],
    seed: int,
) -> dict[str, list[ImageRecord]]:
    """Records of each split, shuffled by a hash of their ids: no reader meets sorted classes."""
    by_split: dict[str, list[ImageRecord]] = {split: [] for split in shares}
    for record in records:
        by_split[split_of[groups[record.image_id]]].append(record)
    for members in by_split.values():
        members.sort(key=lambda r: hashlib.sha256(f"{seed}\0{r.image_id}".encode()).digest())
    return by_split


def _serialized(
    records: list[ImageRecord],
    groups: Mapping[str, str],
    class_names: tuple[str, ...],
    spooled: Mapping[str, _Spooled],
    spool: BinaryIO,
    split: str,
) -> Iterator[bytes]:
    label_ids = {name: index for index, name in enumerate(class_names)}
    for record in track(records, total=len(records), unit="images", description=f"write {split}"):
        place = spooled[record.image_id]
        spool.seek(place.offset)
        yield serialize_record(
            Record(
                image=spool.read(place.length),
                label=label_ids[record.label],
                image_id=record.image_id,
                group=groups[record.image_id],
            )
        )
