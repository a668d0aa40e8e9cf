"""Checks a manifest: images are generated again from their rows and compared with the files.

In a balanced data set, real records are compared with those of the original data set.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from skin_synth.generator import ImageGenerator
from skin_synth.provenance import MANIFEST, Provenance, pixels_sha256, read_manifest
from skin_synth.synthesis.generation import IMAGES_AT_A_TIME, image_file
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import decode_record
from tfrecords_tools.images.opening import read_file
from tfrecords_tools.progress import track
from tfrecords_tools.records.reader import read, read_info, read_records
from tfrecords_tools.records.schema import DATASET_INFO, ORIGIN_SYNTHETIC, TRAIN, parse_record

TOLERANCE = 1
"""Grey levels by which an image of another machine or TensorFlow may differ."""
SHOWN_PROBLEMS = 5
"""Most problems in the message of an error."""


@dataclasses.dataclass(frozen=True)
class Verification:
    """The result of `verify_manifest`.

    Attributes:
        rows: of the manifest.
        equal: images that are equal when generated again, pixel for pixel.
        near: images that then differ by at most one grey level.
        problems: a sentence for each row, file or split that does not match.
        real: real records that equal their originals byte for byte; None without comparison.
    """

    rows: int
    equal: int
    near: int
    problems: tuple[str, ...]
    real: int | None = None

    def describe(self, directory: str | os.PathLike[str]) -> str:
        """Returns the result in one line."""
        real = "" if self.real is None else f"{self.real:,} real records as they were; "
        return (
            f"{directory}: {self.rows:,} rows; generated again {self.equal + self.near:,} images, "
            f"{self.equal:,} equal, {self.near:,} within {TOLERANCE} grey level; "
            f"{real}{len(self.problems):,} problems"
        )

    def check(self) -> None:
        """Raises an InputError with the first problems, if there are any."""
        if self.problems:
            more = len(self.problems) - SHOWN_PROBLEMS
            text = "; ".join(self.problems[:SHOWN_PROBLEMS])
            raise InputError(f"{text}{f' and {more:,} more' if more > 0 else ''}")


def verify_manifest(
    directory: str | os.PathLike[str],
    generator: ImageGenerator,
    *,
    count: int | None = None,
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
) -> Verification:
    """Checks every file of a manifest against its row, and generates `count` of them again.

    Args:
        directory: result of `skin-synth generate` or `skin-synth balance`.
        generator: the run or pretrained generator that made it.
        count: images to generate again, chosen at random; None for all.
        seed: seed of the choice.
        data: the original of a balanced data set, to compare the real records of every split; None
            compares none.

    Raises:
        InputError: there is no manifest or data set, or another run or checkpoint made it.
    """
    place = Path(directory)
    real, unlike = (None, []) if data is None else _compared(place, data)
    rows = read_manifest(place / MANIFEST)
    _check_source(place, rows, generator)
    sound, problems = _matching(place, rows)
    found = [row for row in rows if row.image_id in sound]
    if count is not None and count < len(found):
        chosen = np.random.default_rng(seed).choice(len(found), count, replace=False)
        found = [found[index] for index in sorted(chosen)]
    equal = near = 0
    compared = _again(place, rows, {row.image_id: row for row in found}, generator)
    for row, difference in track(
        compared, total=len(found), unit="images", description="make again"
    ):
        equal += difference == 0
        near += 0 < difference <= TOLERANCE
        if difference > TOLERANCE:
            problems.append(
                f"{row.image_id}: generated again it differs by {difference} grey levels"
            )
    return Verification(len(rows), equal, near, (*unlike, *problems), real)


def _compared(place: Path, data: str | os.PathLike[str]) -> tuple[int, list[str]]:
    """Counts real records that equal those of a data set, in order; a sentence for each problem."""
    splits, balanced = read_info(data).splits, read_info(place).splits
    problems = [
        f"split {split}: is in only one of the two"
        for split in sorted(splits.keys() ^ balanced.keys())
    ]
    equal = 0
    for split in sorted(splits.keys() & balanced.keys()):
        records = read_records(place, split)
        real = (each for each in records if parse_record(each).origin != ORIGIN_SYNTHETIC)
        pairs = itertools.zip_longest(read_records(data, split), real)
        for number, (original, record) in enumerate(pairs):
            if original != record:
                problems.append(f"split {split}: real record {number:,} is not that of {data}")
                break
            equal += 1
    return equal, problems


def _check_source(place: Path, rows: Sequence[Provenance], generator: ImageGenerator) -> None:
    origin = generator.origin
    for row in rows:
        if (row.checkpoint_hash, row.run_id) != (origin.checkpoint_hash, origin.run_id):
            raise InputError(
                f"{place / MANIFEST}: {row.image_id} was generated by run {row.run_id}, checkpoint "
                f"{row.checkpoint_hash[:12]}; given is run {origin.run_id}, checkpoint "
                f"{origin.checkpoint_hash[:12]}"
            )
        if row.label not in generator.class_names:
            raise InputError(
                f"{place / MANIFEST}: {row.image_id} has the unknown label {row.label!r}; known "
                f"are {', '.join(generator.class_names)}"
            )


def _matching(place: Path, rows: Sequence[Provenance]) -> tuple[set[str], list[str]]:
    """Returns the ids of images that match their rows; a sentence for each other row or file."""
    by_id: dict[str, Provenance] = {}
    problems = []
    for row in rows:
        if by_id.setdefault(row.image_id, row) is not row:
            problems.append(f"{row.image_id}: has several rows in {MANIFEST}")
    seen, sound = set(), set()
    for name, image in _images(place, rows):
        if name not in by_id:
            problems.append(
                image if isinstance(image, str) else f"{name}: has no row in {MANIFEST}"
            )
            continue
        if name in seen:
            problems.append(f"{name}: has several images")
        seen.add(name)
        if isinstance(image, str):
            problems.append(image)
        elif pixels_sha256(image) != by_id[name].pixels_sha256:
            problems.append(f"{name}: its pixels are not those of its row")
        else:
            sound.add(name)
    missing = (name for name in by_id if name not in seen)
    problems += [f"{name}: is in {MANIFEST} only, its image is missing" for name in missing]
    return sound, problems


def _images(place: Path, rows: Sequence[Provenance]) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yields the id of each image with its pixels, or with a sentence on what is wrong with it.

    One image is in memory at a time.
    """
    encoded = _records(place, rows) if (place / DATASET_INFO).is_file() else _files(place, rows)
    for name, image in encoded:
        if isinstance(image, str):
            yield name, image
            continue
        try:
            yield name, np.asarray(decode_record(image))
        except Rejected as rejected:
            yield name, f"{name}: its image cannot be read ({rejected.detail})"


def _files(place: Path, rows: Sequence[Provenance]) -> Iterator[tuple[str, bytes | str]]:
    """Yields the PNGs of a folder, or a sentence, by image id; by name if no row has the file."""
    several_classes = len({row.label for row in rows}) > 1
    ids = {image_file(row, several_classes=several_classes): row.image_id for row in rows}
    patterns = ("*.png", "*/*.png") if several_classes else ("*.png",)
    for path in sorted(path for pattern in patterns for path in place.glob(pattern)):
        file = path.relative_to(place).as_posix()
        name = ids.get(file, file)
        try:
            yield name, read_file(path)
        except (Rejected, OSError) as error:
            detail = error.detail if isinstance(error, Rejected) else error.strerror
            yield name, f"{file}: cannot be read ({detail})"


def _records(place: Path, rows: Sequence[Provenance]) -> Iterator[tuple[str, bytes | str]]:
    """Yields the synthetic images of a data set, or a sentence, by image id."""
    info = read_info(place)
    names = dict(enumerate(info.class_names))
    expected = {row.image_id: row.label for row in rows}
    for split in info.splits:
        for record in read(place, split):
            if record.origin != ORIGIN_SYNTHETIC:
                continue
            label = names.get(record.label, str(record.label))
            row = expected.get(record.image_id, label)
            if split != TRAIN:
                yield record.image_id, f"{record.image_id}: is synthetic, but in split {split}"
            elif label != row:
                problem = f"{record.image_id}: has label {label}, its row says {row}"
                yield record.image_id, problem
            else:
                yield record.image_id, record.image


def _again(
    place: Path,
    rows: Sequence[Provenance],
    chosen: Mapping[str, Provenance],
    generator: ImageGenerator,
) -> Iterator[tuple[Provenance, int]]:
    """Generates the chosen images again; yields how much each differs: the most grey levels."""
    stored = (
        (chosen[name], image)
        for name, image in _images(place, rows)
        if name in chosen and not isinstance(image, str)
    )
    while chunk := list(itertools.islice(stored, IMAGES_AT_A_TIME)):
        for truncation in sorted({row.truncation for row, _ in chunk}):
            same = [pair for pair in chunk if pair[0].truncation == truncation]
            ids = [generator.class_names.index(row.label) for row, _ in same]
            seeds = [row.seed for row, _ in same]
            made = generator.generate(ids, seeds, truncation=truncation)
            for (row, image), again in zip(same, made, strict=True):
                yield row, int(np.abs(again.astype(int) - image.astype(int)).max())
