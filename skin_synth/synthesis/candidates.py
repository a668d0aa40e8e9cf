"""Draws candidates class by class until enough of them are fit, and remembers each of them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.metrics.nearest import Gallery, nearest
from skin_synth.generator import ImageGenerator
from skin_synth.provenance import pixels_sha256
from skin_synth.synthesis.filters import (
    EXACT_COPY,
    KEPT,
    NEAR_DUPLICATE,
    Gauge,
    Scores,
    distinct,
)
from tfrecords_tools.atomic import new_file
from tfrecords_tools.locks import locked

CHUNK = 128
"""Candidates drawn and judged at a time, at the most."""
FEWEST = 16
"""And at least; between them, twice as many as are missing."""
PATIENCE = 10
"""Draws for each image kept, at the most ..."""
SEEDS_OF_A_CLASS = 1_000_000
"""From the first seed of a class to that of the next: one seed gives pictures of one layout in all
classes, which would stand side by side in the data set as if each had been found several times."""
KEY = "key.json"
"""What the work in a work directory is for."""
START = 256
"""... and so many more: a class is given up after `START` + `PATIENCE` times those kept."""


@dataclasses.dataclass(frozen=True, eq=False)
class Chunk:
    """Some candidates of one class, in the order of their seeds.

    Attributes:
        seeds: int64[n].
        outcome: n times `KEPT` or why it was dropped.
        nearest: int64[n], index of the nearest training image.
        distance: float32[n], of it, in grey levels.
        probability: float32[n], of the class asked for; NaN where no classifier was asked.
        realism: float64[n]; NaN where it was not measured.
        images: uint8[kept, side, side, 3], those kept.
    """

    seeds: np.ndarray
    outcome: tuple[str, ...]
    nearest: np.ndarray
    distance: np.ndarray
    probability: np.ndarray
    realism: np.ndarray
    images: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Rows of those kept: int64[kept]."""
        return np.flatnonzero([outcome == KEPT for outcome in self.outcome])


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """All candidates of one class.

    Attributes:
        label: of the class.
        wanted: images asked for.
        chunks: the candidates.
    """

    label: int
    wanted: int
    chunks: tuple[Chunk, ...]

    @property
    def outcomes(self) -> Counter[str]:
        """How many candidates came to which end."""
        return Counter(outcome for chunk in self.chunks for outcome in chunk.outcome)

    @property
    def kept(self) -> int:
        """Images that were found fit."""
        return self.outcomes[KEPT]

    @property
    def images(self) -> np.ndarray:
        """Those kept: uint8[kept, side, side, 3]."""
        return np.concatenate([chunk.images for chunk in self.chunks])


class WorkDirectory:
    """Where a balance keeps what it has done, so that one that was stopped goes on.

    A hidden sibling of the data set to be; the same key finds it again, another one clears it.

    Attributes:
        path: the directory.
        key_sha256: of the key that it was opened with, 64 hexadecimal digits; each chunk has it.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        target = Path(out).resolve()
        self.path = target.with_name(f".balance-{target.name}")
        self.key_sha256 = ""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from this work while the block runs.

        Raises:
            InputError: another process works on it.
        """
        lock = self.path.with_name(f"{self.path.name}.lock")
        what = str(self.path.with_name(self.path.name.removeprefix(".balance-")))
        with locked(lock, what, work="balances it", flag="--out"):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)

    def open(self, key: Mapping[str, Any]) -> None:
        """Keeps what was done for the same work, and drops what was done for another."""
        file = self.path / KEY
        text = json.dumps(key, indent=2, sort_keys=True)
        self.key_sha256 = hashlib.sha256(text.encode()).hexdigest()
        if not file.is_file() or file.read_text("utf-8") != text:
            self.remove()
            with new_file(file) as temporary:
                temporary.write_text(text, "utf-8")

    def remove(self) -> None:
        """Clears it away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Clears it away where nothing was done yet that another start could use."""
        if self.path.is_dir() and {path.name for path in self.path.iterdir()} <= {KEY}:
            self.remove()

    def gauge(self) -> Path:
        """File of the gauge."""
        return self.path / "gauge.npz"

    def chunk(self, label: int, number: int) -> Path:
        """File of a chunk of candidates."""
        return self.path / f"candidates-{label:04d}-{number:06d}.npz"


class Drawer:
    """Draws and judges candidates; remembers them in a work directory."""

    def __init__(
        self,
        source: ImageGenerator,
        training: LabelledImages,
        gauge: Gauge | None,
        work: WorkDirectory,
        *,
        seed: int,
        truncation: float,
    ) -> None:
        """Remembers the training images.

        Args:
            source: what paints.
            training: the images that it was trained on.
            gauge: judges the candidates; None drops exact copies only.
            work: where chunks are kept.
            seed: the first of the first class; see `SEEDS_OF_A_CLASS`.
            truncation: factor of the latents.
        """
        self.source = source
        self.training = training
        self.gauge = gauge
        self.work = work
        self.seed = seed
        self.truncation = truncation
        self._gallery = Gallery(training.images)
        self._known = {pixels_sha256(image) for image in training.images}

    def draw(self, label: int, wanted: int) -> Drawing:
        """Draws candidates of a class until enough are kept or too many were in vain."""
        chunks: list[Chunk] = []
        kept = np.empty((0, *self.training.images.shape[1:]), np.uint8)
        first, drawn = self.seed + label * SEEDS_OF_A_CLASS, 0
        while len(kept) < wanted and drawn < START + PATIENCE * len(kept):
            chunk = self._chunk(label, len(chunks), first + drawn, wanted, kept)
            self._known.update(pixels_sha256(image) for image in chunk.images)
            chunks.append(chunk)
            drawn += len(chunk.seeds)
            kept = np.concatenate([kept, chunk.images])
        return Drawing(label, wanted, tuple(chunks))

    def _chunk(self, label: int, number: int, first: int, wanted: int, kept: np.ndarray) -> Chunk:
        """A chunk from the work directory, or a new one."""
        path = self.work.chunk(label, number)
        if path.is_file() and (done := _load(path, self.work.key_sha256)) is not None:
            return done
        count = min(CHUNK, max(FEWEST, 2 * (wanted - len(kept))))
        chunk = self._judged(label, np.arange(first, first + count, dtype=np.int64), kept)
        chunk = _first(chunk, wanted - len(kept))
        _save(chunk, path, self.work.key_sha256)
        return chunk

    def _judged(self, label: int, seeds: np.ndarray, kept: np.ndarray) -> Chunk:
        labels = np.full(len(seeds), label)
        images = self.source.generate(labels, seeds, truncation=self.truncation)
        scores = self._scores(images, labels)
        outcome = [KEPT] * len(seeds)
        if self.gauge is not None:
            outcome = self.gauge.reasons(scores, labels)
        self._tell_copies(images, outcome)
        if self.gauge is not None:
            _tell_duplicates(images, outcome, kept, self.gauge.distance)
        rows = [row for row, end in enumerate(outcome) if end == KEPT]
        return Chunk(
            seeds,
            tuple(outcome),
            scores.nearest,
            scores.distance,
            scores.probability,
            scores.realism,
            images[rows],
        )

    def _scores(self, images: np.ndarray, labels: np.ndarray) -> Scores:
        if self.gauge is not None:
            return self.gauge.scores(images, labels, self._gallery)
        index, distance = nearest(images, self._gallery)
        unknown = np.full(len(images), np.nan)
        return Scores(np.full(len(images), -1), unknown, index, distance, unknown)

    def _tell_copies(self, images: np.ndarray, outcome: list[str]) -> None:
        """Marks images that equal a training image or an earlier one, pixel for pixel."""
        here: set[str] = set()
        for row, image in enumerate(images):
            pixels = pixels_sha256(image)
            if pixels in self._known or pixels in here:
                outcome[row] = EXACT_COPY
            here.add(pixels)


def _tell_duplicates(
    images: np.ndarray, outcome: list[str], kept: np.ndarray, limit: float
) -> None:
    """Marks images that are too near to one that is kept already, of earlier chunks or of this."""
    rows = np.flatnonzero([end == KEPT for end in outcome])
    free = np.ones(len(rows), bool)
    if len(kept) and len(rows):
        free = nearest(images[rows], kept)[1] >= limit
    free[free] = distinct(images[rows[free]], limit)
    for row in rows[~free]:
        outcome[row] = NEAR_DUPLICATE


def _first(chunk: Chunk, wanted: int) -> Chunk:
    """The chunk up to the last image that is wanted; what comes after it was never asked for."""
    kept = chunk.kept
    if len(kept) <= wanted:
        return chunk
    end = int(kept[wanted - 1]) + 1
    return Chunk(
        chunk.seeds[:end],
        chunk.outcome[:end],
        chunk.nearest[:end],
        chunk.distance[:end],
        chunk.probability[:end],
        chunk.realism[:end],
        chunk.images[:wanted],
    )


def _save(chunk: Chunk, path: Path, key_sha256: str) -> None:
    arrays: dict[str, Any] = {
        field.name: np.asarray(getattr(chunk, field.name)) for field in dataclasses.fields(chunk)
    }
    with new_file(path) as file, file.open("wb") as stream:
        np.savez(stream, key=np.array(key_sha256), **arrays)


def _load(path: Path, key_sha256: str) -> Chunk | None:
    """A chunk that was kept; None where it is of other work."""
    with np.load(path) as arrays:
        if "key" not in arrays or str(arrays["key"]) != key_sha256:
            return None
        fields = {field.name: arrays[field.name] for field in dataclasses.fields(Chunk)}
    fields["outcome"] = tuple(str(outcome) for outcome in fields["outcome"])
    return Chunk(**fields)
