"""New images from a trained run: of one class into a folder, or to balance a data set."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skin_synth.data import LabelledImages, load_split
from skin_synth.evaluation.memorization import nearest
from skin_synth.provenance import (
    MANIFEST,
    Provenance,
    encode_synthetic,
    manifest_csv,
    pixels_sha256,
)
from skin_synth.runs import Run
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress
from tfrecords_tools.reader import DatasetInfo, fingerprint, read_info, read_records
from tfrecords_tools.schema import MISSING, ORIGIN_SYNTHETIC, TRAIN, Record, serialize_record
from tfrecords_tools.writer import write_dataset

CHUNK = 64
"""Images painted and compared at a time: bounds the memory."""
DRAWS_PER_IMAGE = 4
"""A class is given up after so many draws for each image it needs, plus one chunk."""
BALANCE_REPORT = "balance_report.json"


@dataclasses.dataclass(frozen=True)
class Painted:
    """A synthetic image and where it comes from."""

    png: bytes
    provenance: Provenance


class Painter:
    """Paints images of a run that are no exact copy of each other or of a training image."""

    def __init__(self, run: Run, training: LabelledImages, *, truncation: float = 1.0) -> None:
        """Remembers the training images.

        Args:
            run: the trained run.
            training: the images that it was trained on.
            truncation: factor of the latents.
        """
        self.run = run
        self.training = training
        self.truncation = truncation
        self.dropped = 0
        self._known = {pixels_sha256(image) for image in training.images}

    def paint(self, label: str, count: int, seed: int) -> Iterator[Painted]:
        """Yields `count` images of a class, from seeds `seed`, `seed` + 1, ...

        An exact copy is dropped and the next seed takes its place.

        Raises:
            InputError: too many draws were copies: the generator has collapsed in this class.
        """
        label_id = self.run.class_names.index(label)
        made, drawn, limit = 0, 0, DRAWS_PER_IMAGE * count + CHUNK
        while made < count:
            if drawn >= limit:
                raise InputError(
                    f"class {label!r}: only {made} of {count} images in {drawn} draws are neither "
                    "equal to each other nor to a training image: train longer, or ask for fewer"
                )
            seeds = range(seed + drawn, seed + drawn + min(CHUNK, count - made))
            drawn += len(seeds)
            for painted in self._chunk(label, label_id, seeds):
                made += 1
                yield painted

    def _chunk(self, label: str, label_id: int, seeds: range) -> Iterator[Painted]:
        images = self.run.generate([label_id] * len(seeds), seeds, truncation=self.truncation)
        index, distance = nearest(images, self.training.images)
        for row, seed in enumerate(seeds):
            pixels = pixels_sha256(images[row])
            if pixels in self._known:
                self.dropped += 1
                continue
            self._known.add(pixels)
            provenance = Provenance(
                image_id=f"synthetic/{self.run.run_id}/{label}/{seed}",
                label=label,
                seed=seed,
                truncation=self.truncation,
                run_id=self.run.run_id,
                checkpoint_hash=self.run.checkpoint_hash,
                pixels_sha256=pixels,
                nearest_image_id=self.training.image_ids[index[row]],
                nearest_distance=round(float(distance[row]), 4),
            )
            yield Painted(encode_synthetic(images[row], provenance), provenance)


def generate_images(
    run: Run,
    *,
    label: str,
    count: int,
    out: str | os.PathLike[str],
    seed: int = 0,
    truncation: float = 1.0,
    data: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Paints images of one class into a folder of PNGs with a manifest.

    Args:
        run: the trained run.
        label: name of the class.
        count: images to paint.
        out: folder to be; it appears once it is complete.
        seed: the images are those of seeds `seed`, `seed` + 1, ... but for exact copies.
        truncation: factor of the latent.
        data: the data set of the run, where it has moved since the training.
        overwrite: whether to replace a folder that is there already.

    Returns:
        The folder.

    Raises:
        InputError: unknown class, a count below 1, a folder that is there already, or the
            training data cannot be found.
    """
    if label not in run.class_names:
        raise InputError(f"unknown label {label!r}; known are {', '.join(run.class_names)}")
    if count < 1:
        raise InputError(f"count must be at least 1, got {count}")
    with new_directory(out, overwrite=overwrite) as folder:
        painter = Painter(run, _training_images(run, data), truncation=truncation)
        rows = []
        with Progress(total=count, unit="images", description=f"paint {label}") as progress:
            for painted in painter.paint(label, count, seed):
                rows.append(painted.provenance)
                (folder / f"{painted.provenance.seed}.png").write_bytes(painted.png)
                progress.update()
        (folder / MANIFEST).write_bytes(manifest_csv(rows))
    return Path(out)


def balance(
    run: Run,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    target: str | int = "max",
    seed: int = 0,
    truncation: float = 1.0,
    overwrite: bool = False,
) -> DatasetInfo:
    """Writes a data set whose training split has the same number of images in every class.

    Real records are copied byte for byte; synthetic ones follow those of the training split, with
    origin `synthetic`. Validation and test stay real. Classes at or above the target get none.

    Args:
        run: the trained run.
        data: the data set directory that it was trained on.
        out: data set directory to be; it appears once it is complete.
        target: images in every class: "max" for those of the largest class, or a number.
        seed: the first seed of each class.
        truncation: factor of the latents.
        overwrite: whether to replace a directory that is there already.

    Returns:
        What was written.

    Raises:
        InputError: a data set other than the run's, a target that is neither, a directory that
            is there already, or a class of which the generator paints copies only.
    """
    info = read_info(data)
    training = _training_images(run, data)
    counts = dict(zip(run.class_names, training.class_counts.tolist(), strict=True))
    goal = _goal(target, counts)
    missing = {label: max(goal - count, 0) for label, count in counts.items()}
    painter = Painter(run, training, truncation=truncation)
    rows: list[Provenance] = []

    def filled() -> Iterator[bytes]:
        yield from read_records(data, TRAIN)
        with Progress(total=sum(missing.values()), unit="images", description="paint") as progress:
            for painted in _paint_all(painter, missing, seed):
                rows.append(painted.provenance)
                yield _record(painted, info)
                progress.update()

    return write_dataset(
        out,
        name=info.name,
        class_names=info.class_names,
        image_shape=info.image_shape,
        # Synthetic images are PNGs; real ones may be JPEGs.
        image_format=info.image_format if info.image_format == "png" else None,
        columns=info.columns,
        splits={
            split: filled() if split == TRAIN else read_records(data, split)
            for split in info.splits
        },
        extra_files=lambda: {
            MANIFEST: manifest_csv(rows),
            BALANCE_REPORT: _report(run, counts, missing, goal, seed, painter),
        },
        overwrite=overwrite,
    )


def _paint_all(painter: Painter, missing: dict[str, int], seed: int) -> Iterator[Painted]:
    for label, count in missing.items():
        yield from painter.paint(label, count, seed)


def _record(painted: Painted, info: DatasetInfo) -> bytes:
    provenance = painted.provenance
    return serialize_record(
        Record(
            image=painted.png,
            label=info.class_names.index(provenance.label),
            image_id=provenance.image_id,
            group=provenance.image_id,
            origin=ORIGIN_SYNTHETIC,
            extras={column.name: MISSING[column.kind] for column in info.columns},
        )
    )


def _training_images(run: Run, data: str | os.PathLike[str] | None) -> LabelledImages:
    """The training split of the run's data set, which must be the very one.

    Raises:
        InputError: it is not where it was, or another data set is there.
    """
    directory = Path(data) if data is not None else run.data_dir
    if not directory.is_dir():
        raise InputError(
            f"the data set of run {run.directory} is not in {directory}: say where it is by --data"
        )
    found = fingerprint(directory)
    if found != run.data_fingerprint:
        raise InputError(
            f"run {run.directory} was trained on data set {run.data_name!r} with fingerprint "
            f"{run.data_fingerprint[:12]}, {directory} has {found[:12]}: give the one it was "
            "trained on"
        )
    return load_split(directory, TRAIN)


def _goal(target: str | int, counts: dict[str, int]) -> int:
    if target == "max":
        return max(counts.values())
    if isinstance(target, int) and target > 0:
        return target
    raise InputError(f"target must be 'max' or a number above 0, got {target!r}")


def _report(
    run: Run, counts: dict[str, int], added: dict[str, int], goal: int, seed: int, painter: Painter
) -> bytes:
    report: dict[str, Any] = {
        "schema_version": 1,
        "run_id": run.run_id,
        "checkpoint_hash": run.checkpoint_hash,
        "images_seen": run.images_seen,
        "data_fingerprint": run.data_fingerprint,
        "target": goal,
        "seed": seed,
        "truncation": painter.truncation,
        "exact_copies_dropped": painter.dropped,
        "classes": {
            label: {"real": count, "synthetic": added[label]} for label, count in counts.items()
        },
    }
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()
