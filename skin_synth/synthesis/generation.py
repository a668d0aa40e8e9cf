"""Writes images of one class or of all, each with its provenance, into a folder."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.metrics.nearest import NearestImages, nearest
from skin_synth.generator import RUN, ImageGenerator, check_same_data, inputs_of
from skin_synth.provenance import (
    MANIFEST,
    Provenance,
    encode_synthetic,
    manifest_csv,
    pixels_sha256,
)
from skin_synth.saved_model.origin import Origin
from skin_synth.synthesis.cost import check_room
from skin_synth.synthesis.options import ALL_CLASSES, GenerationOptions
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress
from tfrecords_tools.records.schema import TRAIN

IMAGES_AT_A_TIME = 64
"""Number of images that are generated and compared together; this bounds the memory."""
DRAWS_PER_IMAGE = 4
"""A class is given up after this many draws for each image, plus `IMAGES_AT_A_TIME`."""
NO_FOLDER_CHARACTERS = re.compile(r"[/%\0]|^\.")


@dataclasses.dataclass(frozen=True, eq=False)
class SyntheticImage:
    """Pixels uint8[side, side, 3] and their row of the manifest."""

    pixels: np.ndarray
    provenance: Provenance

    def png(self, *, training_names: bool = True) -> bytes:
        """Encodes the image as a PNG with its provenance in text chunks.

        `training_names`: whether the PNG names the nearest training image.
        """
        return encode_synthetic(self.pixels, self.provenance, training_names=training_names)


def generate_images(
    generator: ImageGenerator,
    out: str | os.PathLike[str],
    options: GenerationOptions,
    *,
    data: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes images as a folder of PNGs with a manifest: see `image_file` for their names.

    No two are equal, and none equals a training image. The manifest names each image's nearest
    training image, if the training images are available.

    Args:
        generator: a trained run or a pretrained generator.
        out: the folder to write, which is returned; it appears once it is complete.
        options: the images to generate.
        data: the data set of the run, if it was moved after the training. A pretrained generator
            works without it.
        overwrite: whether to replace an earlier folder of generated images.

    Raises:
        InputError: the class is unknown; the folder exists; the folder is, contains or is inside an
            input; the training data of a run cannot be found; the disk cannot hold the images; or
            too many were copies.
    """
    labels = labels_of(generator, options)
    source = generator.data_dir if data is None else data
    check_apart(out, inputs_of(generator, source), may_lie_in={RUN})
    count = options.count * len(labels)
    check_room(out, count, generator.image_size, copies=1)
    with new_directory(out, overwrite=overwrite, marker=MANIFEST) as folder:
        training = None
        if source is not None:
            training = load_split(training_data(generator, source), TRAIN)
        rows, title = [], f"generate {options.label}"
        with Progress(total=count, unit="images", description=title) as progress:
            for image in generate(generator, training, options):
                rows.append(image.provenance)
                file = folder / image_file(image.provenance, several_classes=len(labels) > 1)
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(image.png(training_names=options.training_names))
                progress.update()
        (folder / MANIFEST).write_bytes(manifest_csv(rows))
    return Path(out)


def labels_of(generator: ImageGenerator, options: GenerationOptions) -> Sequence[str]:
    """Returns the classes of which images are requested.

    Raises:
        InputError: the class is unknown.
    """
    if options.label in generator.class_names:
        return [options.label]
    if options.label == ALL_CLASSES:
        return generator.class_names
    raise InputError(
        f"unknown label {options.label!r}; known are {', '.join(generator.class_names)}; "
        f"{ALL_CLASSES} is all of them"
    )


def image_file(row: Provenance, *, several_classes: bool) -> str:
    """Returns the path of an image in its folder: SEED.png, or CLASS/SEED.png.

    Characters that a folder's name cannot hold are percent-encoded, as in a URL.

    Args:
        row: of the image.
        several_classes: whether the folder has images of several classes.
    """
    folder = NO_FOLDER_CHARACTERS.sub(lambda found: f"%{ord(found[0]):02X}", row.label)
    return f"{folder}/{row.seed}.png" if several_classes else f"{row.seed}.png"


def generate(
    generator: ImageGenerator, training: LabelledImages | None, options: GenerationOptions
) -> Iterator[SyntheticImage]:
    """Yields the images; exact copies are dropped, and the next seeds replace them.

    In a shard nothing replaces them; see `GenerationOptions`.

    `training` are the images on which the generator was trained; None if they are not available.

    Raises:
        InputError: the class is unknown, or too many images were copies, because the generator has
            collapsed in a class.
    """
    labels = labels_of(generator, options)
    known = set() if training is None else {pixels_sha256(image) for image in training.images}
    search = None if training is None else NearestImages(training.images)
    for label in labels:
        options = dataclasses.replace(options, label=label)
        yield from _generate_class(generator, options, training, search, known)


def _generate_class(
    generator: ImageGenerator,
    options: GenerationOptions,
    training: LabelledImages | None,
    search: NearestImages | None,
    known: set[str],
) -> Iterator[SyntheticImage]:
    """Yields the images of one class, and adds the hashes of their pixels to `known`."""
    label, count, first_seed = options.label, options.count, options.seed
    if options.shard is not None:
        block = options.shard.block(count)
        count, first_seed = len(block), first_seed + block.start
    origin = generator.origin
    label_id = generator.class_names.index(label)
    made, drawn, limit = 0, 0, DRAWS_PER_IMAGE * count + IMAGES_AT_A_TIME
    while made < count:
        if options.shard is not None and drawn == count:
            return
        if drawn >= limit:
            raise InputError(
                f"class {label!r}: only {made} of {count} images in {drawn} draws are neither "
                "equal to each other nor to a training image: train longer, or request fewer"
            )
        first = first_seed + drawn
        missing = count - (made if options.shard is None else drawn)
        seeds = range(first, first + min(IMAGES_AT_A_TIME, missing))
        drawn += len(seeds)
        images = generator.generate([label_id] * len(seeds), seeds, truncation=options.truncation)
        ids, distance = [""] * len(seeds), np.full(len(seeds), np.nan)
        if training is not None and search is not None:
            index, distance = nearest(images, search)
            ids = [training.image_ids[row] for row in index]
        for row, seed in enumerate(seeds):
            pixels = pixels_sha256(images[row])
            if pixels in known:
                continue
            known.add(pixels)
            made += 1
            yield with_provenance(
                images[row],
                origin,
                label=label,
                seed=seed,
                truncation=options.truncation,
                nearest_image_id=ids[row],
                nearest_distance=float(distance[row]),
            )


def with_provenance(
    pixels: np.ndarray,
    origin: Origin,
    *,
    label: str,
    seed: int,
    truncation: float,
    nearest_image_id: str,
    nearest_distance: float,
) -> SyntheticImage:
    """Adds its provenance to an image; see `Origin` and `Provenance` for the arguments."""
    provenance = Provenance(
        image_id=f"synthetic/{origin.run_id}/{label}/{seed}",
        label=label,
        seed=seed,
        truncation=truncation,
        run_id=origin.run_id,
        checkpoint_hash=origin.checkpoint_hash,
        pixels_sha256=pixels_sha256(pixels),
        nearest_image_id=nearest_image_id,
        nearest_distance=round(nearest_distance, 4),
    )
    return SyntheticImage(pixels, provenance)


def training_data(generator: ImageGenerator, directory: str | os.PathLike[str]) -> Path:
    """Returns a directory if it holds the data set on which the generator was trained.

    Raises:
        InputError: it is missing, or holds another data set.
    """
    if not Path(directory).is_dir():
        raise InputError(
            f"there is no directory {directory}, in which the data set of run "
            f"{generator.origin.run_id} should be: give its present place with --data"
        )
    check_same_data(generator, directory)
    return Path(directory)
