"""Doors of image files of each kind."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from PIL import Image

from tests.fuzz.doors.made import SIDE, make_images
from tests.fuzz.runner import Door, Doors
from tfrecords_tools.errors import Rejected


def _picture(suffix: str, root: Path) -> Door:
    from tfrecords_tools.images.image_file import prepare
    from tfrecords_tools.options import ImageOptions

    file = root / f"picture.{suffix}"
    if not file.exists():
        Image.fromarray(make_images(1)[0]).save(file)

    def use():
        done = prepare(file.read_bytes(), ImageOptions(size=SIDE), thumbnail=16)
        return vars(done) if hasattr(done, "__dict__") else dataclasses.asdict(done)

    structure = "png" if suffix == "png" else ""
    return Door(file, use, (Rejected,), lambda result: True, structure)


DOORS: Doors = {
    f"image.{suffix}": functools.partial(_picture, suffix)
    for suffix in ("png", "jpg", "webp", "bmp", "tif", "gif", "ppm", "jp2")
}
