"""Doors of image files of each kind."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
from PIL import Image

from tests.encoding import encoded
from tests.fuzz.doors.made import SIDE, make_images
from tests.fuzz.runner import Door, Doors
from tests.images import dicom, heic
from tfrecords_tools.errors import Rejected


def _encoded(image: np.ndarray, suffix: str) -> bytes:
    if suffix == "dcm":
        return dicom(image, "RGB", PatientName="Jane Roe")
    if suffix == "heic":
        return heic(image)
    return encoded(image, Image.registered_extensions()[f".{suffix}"])


def _picture(suffix: str, root: Path) -> Door:
    from tfrecords_tools.images.image_file import prepare
    from tfrecords_tools.options import ImageOptions

    file = root / f"picture.{suffix}"
    if not file.exists():
        file.write_bytes(_encoded(make_images(1)[0], suffix))

    def use():
        done = prepare(file.read_bytes(), ImageOptions(size=SIDE), thumbnail=16)
        return vars(done) if hasattr(done, "__dict__") else dataclasses.asdict(done)

    structure = "png" if suffix == "png" else ""
    return Door(file, use, (Rejected,), lambda result: True, structure)


DOORS: Doors = {
    f"image.{suffix}": functools.partial(_picture, suffix)
    for suffix in (
        *("png", "jpg", "webp", "bmp", "tif", "gif", "ppm", "jp2"),
        *("avif", "heic", "dcm"),
    )
}
