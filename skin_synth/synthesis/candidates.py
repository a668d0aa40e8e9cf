"""Generates candidates of each class until enough pass the filter, and keeps them on the disk."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.metrics.nearest import NearestImages, nearest
from skin_synth.generator import ImageGenerator
from skin_synth.provenance import pixels_sha256
from skin_synth.synthesis.filters import (
    EXACT_COPY,
    KEPT,
    NEAR_DUPLICATE,
    REASONS,
    CandidateFilter,
    Scores,
    distinct,
)
from skin_synth.synthesis.generation import SyntheticImage, with_provenance
from skin_synth.synthesis.kept_images import KeptImages
from skin_synth.synthesis.options import BalanceOptions
from tfrecords_tools.atomic import made_parents, new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked
from tfrecords_tools.npz_reading import read_npz
from tfrecords_tools.paths import real_path
from tfrecords_tools.progress import Progress

CHUNK_SIZE = 128
"""Largest number of candidates that are generated and tested together."""
SMALLEST_CHUNK = 16
"""Smallest number of these; between the two it is twice the number of missing images."""
FREE_DRAWS, DRAWS_PER_KEPT_IMAGE = 256, 10
"""A class is given up after `FREE_DRAWS` + `DRAWS_PER_KEPT_IMAGE` x (kept images) candidates."""
SEEDS_PER_CLASS = 1_000_000
"""Least distance from the first seed of a class to that of the next. One seed gives the same layout
in all classes, so with shared seeds each layout would occur several times in the data set."""
KEY_FILE = "key.json"
"""The description of the balance to which a work directory belongs."""
_LOG = logging.getLogger("skin_synth")


@dataclasses.dataclass(frozen=True, eq=False)
class Chunk(Scores):
    """Candidates of one class, in the order of their seeds, with their scores.

    Without a filter, `assigned` is -1, and `probability` and `realism` are NaN.

    Attributes:
        seeds: int64[n].
        outcome: for each candidate `KEPT` or the reason why it was dropped.
        images: uint8[kept, side, side, 3], the kept ones.
    """

    seeds: np.ndarray
    outcome: tuple[str, ...]
    images: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Rows of the kept candidates: int64[kept]."""
        return np.flatnonzero([outcome == KEPT for outcome in self.outcome])


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """All candidates of a class.

    Attributes:
        label: the class.
        wanted: number of requested images.
        chunks: the candidates; those with a file have no images in memory.
        files: of the chunks; empty if their images are in memory.
    """

    label: int
    wanted: int
    chunks: tuple[Chunk, ...]
    files: tuple[Path, ...] = ()

    @property
    def outcomes(self) -> Counter[str]:
        """Number of candidates by outcome."""
        return Counter(outcome for chunk in self.chunks for outcome in chunk.outcome)

    @property
    def kept(self) -> int:
        """Number of kept candidates."""
        return self.outcomes[KEPT]

    @property
    def short(self) -> int:
        """Number of missing images."""
        return self.wanted - self.kept

    def parts(self) -> Iterator[np.ndarray]:
        """Yields the kept candidates of each chunk: uint8[kept, side, side, 3]."""
        if self.files:
            yield from (read_npz(file)["images"] for file in self.files)
        else:
            yield from (chunk.images for chunk in self.chunks)

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """Yields the kept candidates, so many at a time; the last block may have fewer."""
        waiting: list[np.ndarray] = []
        for part in self.parts():
            waiting.append(part)
            if sum(map(len, waiting)) >= size:
                images = np.concatenate(waiting)
                whole = len(images) // size * size
                yield from (images[start : start + size] for start in range(0, whole, size))
                waiting = [images[whole:]]
        if any(map(len, waiting)):
            yield np.concatenate(waiting)

    @property
    def images(self) -> np.ndarray:
        """The kept candidates: uint8[kept, side, side, 3], all in memory."""
        return np.concatenate(list(self.parts()))


class WorkDirectory:
    """Keeps the work of a balance in a hidden sibling of the data set, so that it can resume.

    Attributes:
        path: the directory.
        key_sha256: sha256 of its key, 64 hexadecimal digits; each chunk holds it.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self._target = real_path(out)
        self.path = self._target.with_name(f".balance-{self._target.name}")
        self.key_sha256 = ""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Excludes other processes from this work while the block runs.

        Raises:
            InputError: another process works on it.
        """
        lock = self.path.with_name(f"{self.path.name}.lock")
        with (
            made_parents(self._target),
            locked(lock, str(self._target), work="balances it", flag="--out"),
        ):
            try:
                yield
            finally:
                if {path.name for path in self.path.glob("*")} <= {KEY_FILE}:
                    self.remove()
                lock.unlink(missing_ok=True)

    def open(self, key: Mapping[str, object]) -> None:
        """Keeps earlier work with the same key, and removes other work."""
        file = self.path / KEY_FILE
        text = json.dumps(key, indent=2, sort_keys=True)
        self.key_sha256 = hashlib.sha256(text.encode()).hexdigest()
        if not file.is_file() or file.read_bytes() != text.encode():
            self.remove()
            with new_file(file) as temporary:
                temporary.write_text(text, "utf-8")

    def remove(self) -> None:
        """Removes all work."""
        shutil.rmtree(self.path, ignore_errors=True)

    def chunk_file(self, label: int, number: int) -> Path:
        """Returns the file of a chunk of candidates."""
        return self.path / f"candidates-{label:04d}-{number:06d}.npz"


def seeds_per_class(wanted: Iterable[int]) -> int:
    """Returns a distance of first seeds that no class exceeds, by the images wanted of each."""
    most = max(wanted, default=0)
    return max(SEEDS_PER_CLASS, FREE_DRAWS + DRAWS_PER_KEPT_IMAGE * most + CHUNK_SIZE)


@dataclasses.dataclass(eq=False)
class CandidateGenerator:
    """Generates and tests candidates, and keeps them in a work directory.

    Attributes:
        generator: a trained run or a pretrained generator.
        training: the images on which it was trained.
        candidate_filter: tests the candidates; None drops exact copies only.
        work: directory of the chunks.
        options: their seed is the first one of the first class.
        seeds_per_class: distance from the first seed of a class to that of the next.
    """

    generator: ImageGenerator
    training: LabelledImages
    candidate_filter: CandidateFilter | None
    work: WorkDirectory
    options: BalanceOptions
    seeds_per_class: int = SEEDS_PER_CLASS

    def __post_init__(self) -> None:
        self._nearest_training = NearestImages(self.training.images)
        self._known = {pixels_sha256(image) for image in self.training.images}

    def generate(self, label: int, wanted: int, progress: Progress | None = None) -> Candidates:
        """Generates candidates of a class until enough are kept, or too many were dropped.

        `progress` counts the kept ones, and notes how many candidates the class has taken.
        """
        chunks: list[Chunk] = []
        first, drawn = self.options.seed + label * self.seeds_per_class, 0
        with KeptImages(self.work.path) as kept:
            while len(kept) < wanted and drawn < FREE_DRAWS + DRAWS_PER_KEPT_IMAGE * len(kept):
                chunk = self._chunk(label, len(chunks), first + drawn, wanted, kept)
                self._known.update(pixels_sha256(image) for image in chunk.images)
                drawn += len(chunk.seeds)
                kept.add(chunk.images)
                if progress is not None:
                    name = self.training.class_names[label]
                    progress.note = f"{name}: {len(kept):,} of {drawn:,} candidates passed"
                    progress.update(len(chunk.images))
                chunks.append(dataclasses.replace(chunk, images=chunk.images[:0].copy()))
        files = tuple(self.work.chunk_file(label, number) for number in range(len(chunks)))
        return Candidates(label, wanted, tuple(chunks), files)

    def images(self, candidates: Candidates) -> Iterator[SyntheticImage]:
        """Yields the kept candidates with their provenance."""
        origin = self.generator.origin
        for chunk, images in zip(candidates.chunks, candidates.parts(), strict=True):
            for row, pixels in zip(chunk.kept, images, strict=True):
                yield with_provenance(
                    pixels,
                    origin,
                    label=self.training.class_names[candidates.label],
                    seed=int(chunk.seeds[row]),
                    truncation=self.options.truncation,
                    nearest_image_id=self.training.image_ids[chunk.nearest[row]],
                    nearest_distance=float(chunk.distance[row]),
                )

    def _chunk(self, label: int, number: int, first: int, wanted: int, kept: KeptImages) -> Chunk:
        """Reads a chunk from the work directory, or makes a new one."""
        path = self.work.chunk_file(label, number)
        if path.is_file() and (done := _load(path, self.work.key_sha256)) is not None:
            return done
        count = min(CHUNK_SIZE, max(SMALLEST_CHUNK, 2 * (wanted - len(kept))))
        chunk = self._tested(label, np.arange(first, first + count, dtype=np.int64), kept)
        chunk = _shortened(chunk, wanted - len(kept))
        _save(chunk, path, self.work.key_sha256)
        return chunk

    def _tested(self, label: int, seeds: np.ndarray, kept: KeptImages) -> Chunk:
        labels = np.full(len(seeds), label)
        images = self.generator.generate(labels, seeds, truncation=self.options.truncation)
        if self.candidate_filter is None:
            index, distance = nearest(images, self._nearest_training)
            unknown = np.full(len(images), np.nan)
            scores = Scores(np.full(len(images), -1), unknown, index, distance, unknown)
            outcome = [KEPT] * len(seeds)
            self._mark_copies(images, outcome)
        else:
            scores = self.candidate_filter.scores(images, labels, self._nearest_training)
            outcome = self.candidate_filter.reasons(scores, labels)
            self._mark_copies(images, outcome)
            _mark_duplicates(images, outcome, kept, self.candidate_filter.distance[label])
        kept_images = images[[end == KEPT for end in outcome]]
        return Chunk(**vars(scores), seeds=seeds, outcome=tuple(outcome), images=kept_images)

    def _mark_copies(self, images: np.ndarray, outcome: list[str]) -> None:
        """Marks images that equal a training image or an earlier one, pixel for pixel."""
        here: set[str] = set()
        for row, pixels in enumerate(map(pixels_sha256, images)):
            if pixels in self._known or pixels in here:
                outcome[row] = EXACT_COPY
            here.add(pixels)


def _mark_duplicates(
    images: np.ndarray, outcome: list[str], kept: KeptImages, limit: float
) -> None:
    """Marks images that are too near to a kept one, of earlier chunks or of this one."""
    rows = np.flatnonzero([end == KEPT for end in outcome])
    free = ~kept.near(images[rows], limit)
    free[free] = distinct(images[rows[free]], limit)
    for row in rows[~free]:
        outcome[row] = NEAR_DUPLICATE


def _shortened(chunk: Chunk, wanted: int) -> Chunk:
    """Ends the chunk with its last wanted image; later candidates do not count."""
    kept = chunk.kept
    if len(kept) <= wanted:
        return chunk
    end = int(kept[wanted - 1]) + 1
    fields = {name: values[:end] for name, values in vars(chunk).items()}
    return Chunk(**fields | {"images": chunk.images[:wanted]})


def _save(chunk: Chunk, path: Path, key_sha256: str) -> None:
    arrays: dict[str, Any] = {name: np.asarray(values) for name, values in vars(chunk).items()}
    with new_file(path) as file, file.open("wb") as stream:
        np.savez(stream, key=np.array(key_sha256), **arrays)


def _load(path: Path, key_sha256: str) -> Chunk | None:
    """Reads a chunk; None if it belongs to other work, or is damaged and is made again."""
    try:
        fields: dict[str, Any] = read_npz(path)
        if str(fields.pop("key", None)) != key_sha256:
            return None
        fields["outcome"] = tuple(str(outcome) for outcome in fields["outcome"])
        chunk = Chunk(**fields)
        _check_chunk(chunk)
        return chunk
    except (InputError, KeyError, TypeError) as error:
        _LOG.warning("%s cannot be used (%s); it is made again", path, error)
        return None


def _check_chunk(chunk: Chunk) -> None:
    """Checks types and numbers of rows.

    Raises:
        InputError: they do not fit each other.
    """
    kinds = {"seeds": "i", "assigned": "i", "nearest": "i", "distance": "f"}
    columns = {name: np.asarray(values) for name, values in vars(chunk).items() if name != "images"}
    shapes = {values.shape for values in columns.values()}
    good = (
        shapes == {(len(chunk.seeds),)}
        and all(columns[name].dtype.kind == kind for name, kind in kinds.items())
        and {*chunk.outcome} <= {KEPT, *REASONS}
        and len(chunk.kept) == len(chunk.images)
        and chunk.images.dtype == np.uint8
    )
    if not good:
        raise InputError("its columns do not fit each other")
