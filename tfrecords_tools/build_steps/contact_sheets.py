"""A sheet of thumbnails for each class, so that a person sees what is in a data set."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfrecords_tools.images.image_file import encode_png

COLUMNS, ROWS = 8, 3
IMAGES = COLUMNS * ROWS
"""Thumbnails on a sheet."""
SIDE = 96
"""Of a thumbnail, in pixels."""
GAP = 4
TITLE = 24
"""Height of the title, in pixels."""
NAME_BYTES = 200
"""Of a class name in a file name; file systems take 255 for all of it."""
UNSAFE = re.compile(r"[^\w.-]+")
PAPER, INK = (255, 255, 255), (40, 40, 40)


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What is on a sheet.

    Attributes:
        label: of the class.
        class_name: its name.
        title: headline.
        thumbnails: uint8[SIDE, SIDE, 3] each, at most `IMAGES`.
    """

    label: int
    class_name: str
    title: str
    thumbnails: Sequence[np.ndarray]

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{numbered(self.label, self.class_name)}.png"


def numbered(label: int, class_name: str, *, digits: int = 2) -> str:
    """NN_CLASS, as files and folders are called; what a file name cannot hold becomes _.

    Args:
        label: of the class.
        class_name: its name, of which the first letters are taken.
        digits: of the number.
    """
    name = UNSAFE.sub("_", class_name)[:64].encode()[:NAME_BYTES]
    return f"{label:0{digits}d}_{name.decode(errors='ignore')}"


def contact_sheet(sheet: Sheet) -> bytes:
    """The PNG of a sheet: thumbnails row by row below the title."""
    rows = -(-len(sheet.thumbnails) // COLUMNS)
    width = COLUMNS * (SIDE + GAP) + GAP
    paper = Image.new("RGB", (width, TITLE + rows * (SIDE + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(paper)
    draw.text((GAP, GAP), sheet.title, fill=INK, font=ImageFont.load_default(15))
    for number, thumbnail in enumerate(sheet.thumbnails):
        row, column = divmod(number, COLUMNS)
        corner = (GAP + column * (SIDE + GAP), TITLE + row * (SIDE + GAP))
        paper.paste(Image.fromarray(thumbnail), corner)
    return encode_png(np.asarray(paper))
