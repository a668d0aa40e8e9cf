"""Images of one class, each with its provenance, into a folder."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.metrics.nearest import Gallery, nearest
from skin_synth.generator import RUN, ImageGenerator, check_same_data, inputs_of
from skin_synth.provenance import (
    MANIFEST,
    Provenance,
    encode_synthetic,
    manifest_csv,
    pixels_sha256,
)
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.schema import TRAIN

CHUNK = 64
"""Images painted and compared at a time: bounds the memory."""
DRAWS_PER_IMAGE = 4
"""A class is given up after so many draws for each image it needs, plus one chunk."""


@dataclasses.dataclass(frozen=True)
class Painted:
    """A synthetic image and where it comes from."""

    png: bytes
    provenance: Provenance


def generate_images(
    source: ImageGenerator,
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

    No two are equal, and none equals a training image; where the training images are at hand, each
    image's nearest one is in the manifest.

    Args:
        source: a trained run or a pretrained generator.
        label: name of the class.
        count: images to paint.
        out: folder to be; it appears once it is complete.
        seed: the images are those of seeds `seed`, `seed` + 1, ... except for exact copies.
        truncation: factor of the latent.
        data: the data set of the run, where it has moved since the training. A pretrained
            generator does without.
        overwrite: whether to replace a folder that was painted before.

    Returns:
        The folder.

    Raises:
        InputError: unknown class, a count below 1, a folder that is there already or is, holds
            or lies in what is read, a run whose training data cannot be found, or too many draws
            were copies.
    """
    if label not in source.class_names:
        raise InputError(f"unknown label {label!r}; known are {', '.join(source.class_names)}")
    if count < 1:
        raise InputError(f"count must be at least 1, got {count}")
    read = inputs_of(source, source.data_dir if data is None else data)
    check_apart(out, read, may_lie_in={RUN})
    with new_directory(out, overwrite=overwrite, marker=MANIFEST) as folder:
        training = None
        if data is not None or source.data_dir is not None:
            training = training_images(source, data)
        rows = []
        with Progress(total=count, unit="images", description=f"paint {label}") as progress:
            for painted in paint(source, training, label, count, seed, truncation=truncation):
                rows.append(painted.provenance)
                (folder / f"{painted.provenance.seed}.png").write_bytes(painted.png)
                progress.update()
        (folder / MANIFEST).write_bytes(manifest_csv(rows))
    return Path(out)


def paint(
    source: ImageGenerator,
    training: LabelledImages | None,
    label: str,
    count: int,
    seed: int,
    *,
    truncation: float = 1.0,
) -> Iterator[Painted]:
    """Yields `count` images of a class, from seeds `seed`, `seed` + 1, ...

    An exact copy of an earlier image or of a training image is dropped and the next seed takes its
    place.

    Args:
        source: what paints.
        training: the images that it was trained on; None where they are not at hand.
        label: name of the class.
        count: images to paint.
        seed: the first.
        truncation: factor of the latents.

    Raises:
        InputError: too many draws were copies: the generator has collapsed in this class.
    """
    label_id = source.class_names.index(label)
    known = set() if training is None else {pixels_sha256(image) for image in training.images}
    gallery = None if training is None else Gallery(training.images)
    made, drawn, limit = 0, 0, DRAWS_PER_IMAGE * count + CHUNK
    while made < count:
        if drawn >= limit:
            raise InputError(
                f"class {label!r}: only {made} of {count} images in {drawn} draws are neither "
                "equal to each other nor to a training image: train longer, or ask for fewer"
            )
        seeds = range(seed + drawn, seed + drawn + min(CHUNK, count - made))
        drawn += len(seeds)
        images = source.generate([label_id] * len(seeds), seeds, truncation=truncation)
        index, distance = _nearest(images, gallery)
        for row, one in enumerate(seeds):
            pixels = pixels_sha256(images[row])
            if pixels in known:
                continue
            known.add(pixels)
            made += 1
            yield sign(
                images[row],
                source,
                label=label,
                seed=one,
                truncation=truncation,
                nearest_image_id="" if training is None else training.image_ids[index[row]],
                nearest_distance=float(distance[row]),
            )


def sign(
    image: np.ndarray,
    source: ImageGenerator,
    *,
    label: str,
    seed: int,
    truncation: float,
    nearest_image_id: str,
    nearest_distance: float,
) -> Painted:
    """The image as a PNG that tells where it comes from; see `Provenance` for the arguments."""
    provenance = Provenance(
        image_id=f"synthetic/{source.origin.run_id}/{label}/{seed}",
        label=label,
        seed=seed,
        truncation=truncation,
        run_id=source.origin.run_id,
        checkpoint_hash=source.origin.checkpoint_hash,
        pixels_sha256=pixels_sha256(image),
        nearest_image_id=nearest_image_id,
        nearest_distance=round(nearest_distance, 4),
    )
    return Painted(encode_synthetic(image, provenance), provenance)


def training_images(
    source: ImageGenerator, data: str | os.PathLike[str] | None = None
) -> LabelledImages:
    """The training split of a source's data set, which must be the very one.

    Args:
        source: a trained run or a pretrained generator.
        data: where the data set is; None: where it was at the start of the training.

    Raises:
        InputError: it is not where it was, or another data set is there.
    """
    directory = check_data(source, data)
    return load_split(directory, TRAIN)


def check_data(source: ImageGenerator, data: str | os.PathLike[str] | None) -> Path:
    """The directory of the data set that a source was trained on; see `training_images`."""
    directory = Path(data) if data is not None else source.data_dir
    if directory is None or not directory.is_dir():
        raise InputError(
            f"the data set of run {source.origin.run_id} is not in {directory}: say where it is by "
            "--data"
        )
    check_same_data(source, directory)
    return directory


def _nearest(images: np.ndarray, gallery: Gallery | None) -> tuple[np.ndarray, np.ndarray]:
    if gallery is None:
        return np.zeros(len(images), np.int64), np.full(len(images), math.nan, np.float32)
    return nearest(images, gallery)
