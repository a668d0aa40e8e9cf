"""Synthetic images as a data set, in parts that several jobs generate, and their union."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from skin_synth.data.pipeline import load_split
from skin_synth.generator import RUN, ImageGenerator, inputs_of
from skin_synth.provenance import MANIFEST, ManifestWriter, Provenance, iterate_manifest
from skin_synth.synthesis.cost import check_room
from skin_synth.synthesis.generation import (
    SyntheticImage,
    generate,
    labels_of,
    training_data,
)
from skin_synth.synthesis.options import GenerationOptions, Shard
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import read_json
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.reader import DatasetInfo, read_info, read_records
from tfrecords_tools.records.schema import (
    DATASET_INFO,
    ORIGIN_SYNTHETIC,
    TRAIN,
    Record,
    parse_record,
    serialize_record,
)
from tfrecords_tools.records.writer import DatasetDescription, write_records

DATASET_NAME = "synthetic"
GENERATION = "generation.json"
"""What was requested, next to the data set."""
GENERATION_SCHEMA = 1
SHOWN_SHARDS = 10


@dataclasses.dataclass(frozen=True)
class Request:
    """Images that were requested; `shard` I of `shards` was generated.

    Raises:
        InputError: there is no such shard, or there are more shards than images.
    """

    label: str
    count: int
    seed: int
    truncation: float
    shard: int = 1
    shards: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.shard <= self.shards <= max(1, self.count):
            raise InputError(f"{self.count} images have no shard {self.shard}/{self.shards}")


@dataclasses.dataclass(frozen=True)
class Generation:
    """The facts of generated records.

    Attributes:
        run_id: run of the generator.
        checkpoint_hash: sha256 over its weights.
        requests: what was requested.
        images: number of images.
        dropped: number of images that equal a training image or an earlier image.
        schema_version: of this file.
    """

    run_id: str
    checkpoint_hash: str
    requests: tuple[Request, ...]
    images: int
    dropped: int
    schema_version: int = GENERATION_SCHEMA

    def describe(self) -> str:
        """Returns the numbers of images as text."""
        dropped = f" ({self.dropped:,} equal ones dropped)" if self.dropped else ""
        return f"{self.images:,} images of {', '.join(self.labels)}{dropped}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of the requests."""
        return tuple(dict.fromkeys(request.label for request in self.requests))


def generate_records(
    generator: ImageGenerator,
    out: str | os.PathLike[str],
    options: GenerationOptions,
    *,
    data: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Generation:
    """Writes images as a data set with one split, with a manifest.

    The images of all shards together, see `merge_records`, are those of one call without shards.
    See `generate_images` for the arguments and errors.

    Raises:
        InputError: as `generate_images`, or all images are copies.
    """
    labels = labels_of(generator, options)
    source = generator.data_dir if data is None else data
    check_apart(out, inputs_of(generator, source), may_lie_in={RUN})
    shard = options.shard or Shard(1, 1)
    count = len(shard.block(options.count)) * len(labels)
    check_room(out, count, generator.image_size, copies=1)
    with new_directory(out, overwrite=overwrite, marker=DATASET_INFO) as directory:
        training = None
        if source is not None:
            training = load_split(training_data(generator, source), TRAIN)
        images = _recorded(generate(generator, training, options), generator, options)
        title = f"generate {options.label}"
        with Progress(total=count, unit="images", description=title) as progress:
            made = _write(directory, generator.class_names, generator.image_size, images, progress)
        asked = options.count, options.seed, options.truncation, shard.number, shard.count
        requests = tuple(Request(label, *asked) for label in labels)
        origin = generator.origin
        found = Generation(
            *(origin.run_id, origin.checkpoint_hash, requests),
            images=made,
            dropped=max(0, count - made),
        )
        _save(found, directory)
    return found


def merge_records(
    parts: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Generation:
    """Joins data sets of `generate_records` and their manifests.

    Images are in the order of classes and seeds, whatever the order of the parts. Of equal images
    the first one stays. The parts are read side by side, so memory holds only a hash of each image.

    Args:
        parts: the data sets; all shards of each request.
        out: new directory of the data set.
        overwrite: whether to replace an existing data set directory.

    Raises:
        InputError: a part is no such data set or is damaged, parts are of several generators, a
            shard is missing or there twice, or two images have one class and seed.
    """
    check_apart(out, {f"part {part}": part for part in parts})
    found = [_open(Path(part)) for part in parts]
    info, first = found[0]
    for other, generation in found:
        if (other.class_names, other.image_shape) != (info.class_names, info.image_shape) or (
            generation.run_id,
            generation.checkpoint_hash,
        ) != (first.run_id, first.checkpoint_hash):
            raise InputError(
                f"{info.directory} and {other.directory} are of several generators: merge the "
                "parts of one"
            )
    requests = _whole([request for _, generation in found for request in generation.requests])
    with new_directory(out, overwrite=overwrite, marker=DATASET_INFO) as directory:
        seen: set[bytes] = set()
        ordered = heapq.merge(*(_read(part) for part, _ in found), key=lambda each: each[0])
        images = _unequal(_once(ordered), seen)
        total = sum(generation.images for _, generation in found)
        with Progress(total=total, unit="images", description="merge") as progress:
            side = info.image_shape[0]
            made = _write(directory, info.class_names, side, images, progress)
        dropped = sum(generation.dropped for _, generation in found) + total - made
        merged = Generation(first.run_id, first.checkpoint_hash, requests, made, dropped)
        _save(merged, directory)
    return merged


def _recorded(
    images: Iterable[SyntheticImage], generator: ImageGenerator, options: GenerationOptions
) -> Iterator[tuple[bytes, Provenance]]:
    for image in images:
        row = image.provenance
        record = Record(
            image=image.png(training_names=options.training_names),
            label=generator.class_names.index(row.label),
            image_id=row.image_id,
            group=row.image_id,
            origin=ORIGIN_SYNTHETIC,
        )
        yield serialize_record(record), row


def _write(
    directory: Path,
    class_names: Sequence[str],
    side: int | None,
    images: Iterable[tuple[bytes, Provenance]],
    progress: Progress,
) -> int:
    """Writes records, metadata and manifest; returns the number of images."""
    numbers = itertools.count()
    with ManifestWriter(directory / MANIFEST) as manifest:

        def records() -> Iterator[bytes]:
            for record, row in images:
                manifest.write(row)
                progress.update()
                next(numbers)
                yield record

        description = DatasetDescription(DATASET_NAME, class_names, (side, side, 3))
        write_records(directory, description, {TRAIN: records()})
    return next(numbers)


def _save(generation: Generation, directory: Path) -> None:
    text = json.dumps(dataclasses.asdict(generation), indent=2, ensure_ascii=False)
    (directory / GENERATION).write_text(text + "\n", "utf-8")


def _open(part: Path) -> tuple[DatasetInfo, Generation]:
    if (part / MANIFEST).is_file() and not (part / DATASET_INFO).is_file():
        raise InputError(
            f"{part} holds images as PNG files: generate them with --format tfrecord to merge them"
        )
    info = read_info(part)
    if set(info.splits) != {TRAIN} or not (part / GENERATION).is_file():
        raise InputError(
            f"{part} is no result of `skin-synth generate --format tfrecord`: merge only these"
        )
    repair = "generate it again"
    generation = read_json(part / GENERATION, Generation, repair=repair)
    if generation.images != info.splits[TRAIN].num_records:
        raise InputError(f"{part} has another number of images than {GENERATION} says: {repair}")
    return info, generation


def _read(info: DatasetInfo) -> Iterator[tuple[tuple[int, int], bytes, Provenance]]:
    """Yields label and seed, record and row of each image, in the order of labels and seeds."""
    before = (-1, -1)
    rows = iterate_manifest(info.directory / MANIFEST)
    for record, row in itertools.zip_longest(read_records(info.directory, TRAIN), rows):
        if record is None or row is None or parse_record(record).image_id != row.image_id:
            raise InputError(
                f"{info.directory}: its records are not those of {MANIFEST}: generate it again"
            )
        if row.label not in info.class_names:
            raise InputError(f"{info.directory}: {MANIFEST} has the unknown label {row.label!r}")
        key = (info.class_names.index(row.label), row.seed)
        if key <= before:
            raise InputError(f"{info.directory}: its seeds do not ascend: generate it again")
        before = key
        yield key, record, row


def _once(
    images: Iterable[tuple[tuple[int, int], bytes, Provenance]],
) -> Iterator[tuple[bytes, Provenance]]:
    """Yields record and row; refuses two images of one label and seed, which have one id."""
    last: Provenance | None = None
    for _, record, row in images:
        again = last if last is not None and last.image_id == row.image_id else row
        if again.pixels_sha256 != row.pixels_sha256:
            raise InputError(
                f"{row.image_id} is there twice with other pixels, of truncation "
                f"{again.truncation} and {row.truncation}: generate one of the two from another "
                "--seed"
            )
        last = row
        yield record, row


def _unequal(
    images: Iterable[tuple[bytes, Provenance]], seen: set[bytes]
) -> Iterator[tuple[bytes, Provenance]]:
    for record, row in images:
        pixels = bytes.fromhex(row.pixels_sha256)
        if pixels not in seen:
            seen.add(pixels)
            yield record, row


def _whole(requests: Sequence[Request]) -> tuple[Request, ...]:
    """Returns requests without shards, if all shards of each are there once."""
    by_request: dict[Request, list[int]] = {}
    for request in requests:
        whole = dataclasses.replace(request, shard=1)
        by_request.setdefault(whole, []).append(request.shard)
    for whole, shards in by_request.items():
        what = f"{whole.count:,} images of {whole.label} from seed {whole.seed}"
        if twice := sorted({shard for shard in shards if shards.count(shard) > 1}):
            raise InputError(f"{what}: shard {twice[0]}/{whole.shards} is there twice")
        if missing := whole.shards - len(shards):
            # No list of all shards: a damaged file may claim any number of them.
            absent = (shard for shard in range(1, whole.shards + 1) if shard not in shards)
            listed = ", ".join(map(str, itertools.islice(absent, SHOWN_SHARDS)))
            more = ", ..." if missing > SHOWN_SHARDS else ""
            noun, verb = ("shard", "is") if missing == 1 else ("shards", "are")
            raise InputError(
                f"{what}: {noun} {listed}{more} of {whole.shards} {verb} missing: generate "
                f"{'it' if missing == 1 else 'them'}, then merge all"
            )
    return tuple(dataclasses.replace(whole, shards=1) for whole in by_request)
