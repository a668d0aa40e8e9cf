"""Which images of a data set a generator was trained on, as far as that is known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from skin_synth.generator import ImageGenerator, data_images_of
from skin_synth.provenance import pixels_sha256
from skin_synth.saved_model.data_images import images_of
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import decode_record
from tfrecords_tools.records.reader import fingerprint, read, read_info
from tfrecords_tools.records.schema import ORIGIN_REAL, TRAIN, Record


def images_from_training(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    splits: Collection[str] | None = None,
) -> int | None:
    """Counts the images of a data set on which a generator was trained.

    They are known by the list of image ids that comes with the generator. A run has no list, but
    the place of its data set: an image with the same pixels as a training image there is known,
    too. All images of the data set of the training count, whatever their split.

    Args:
        generator: a run or a generator.
        data_dir: a data set.
        splits: the splits of it that count; None: all.

    Returns:
        Their number; None if the generator has no list and its data set is not there any more.

    Raises:
        InputError: there is no data set, or a record is damaged.
    """
    info = read_info(data_dir)
    chosen = [split for split in info.splits if splits is None or split in splits]
    if generator.origin.data_fingerprint == fingerprint(data_dir):
        return sum(info.splits[split].num_records for split in chosen)
    if (listed := data_images_of(generator)) is not None:
        trained = {name for name, image in listed.items() if image.split == TRAIN}
        found = images_of(data_dir)
        return sum(name in trained for name, image in found.items() if image.split in chosen)
    place = generator.data_dir
    if place is None or not _holds(place, generator.origin.data_fingerprint):
        return None
    pixels = {_pixels(record) for record in read(place, TRAIN) if record.origin == ORIGIN_REAL}
    return sum(_pixels(record) in pixels for split in chosen for record in read(data_dir, split))


def _holds(place: Path, expected: str) -> bool:
    """Says whether a directory still holds the data set with this fingerprint."""
    try:
        return fingerprint(place) == expected
    except InputError:
        return False


def _pixels(record: Record) -> str:
    """Returns a hash that is the same for every lossless file of one picture."""
    try:
        return pixels_sha256(np.asarray(decode_record(record.image)))
    except Rejected:  # a damaged image equals only itself
        return hashlib.sha256(record.image).hexdigest()
