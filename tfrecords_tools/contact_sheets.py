"""A sheet of thumbnails for each class, so that a person sees what is in a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfrecords_tools.images import encode_png

COLUMNS, ROWS = 8, 4
IMAGES = COLUMNS * ROWS
"""Thumbnails on a sheet."""
SIDE = 96
"""Of a thumbnail, in pixels."""
GAP = 4
TITLE = 24
"""Height of the title, in pixels."""
UNSAFE = re.compile(r"[^\w.-]+")
PAPER, INK = (255, 255, 255), (40, 40, 40)


def sheet_name(label: int, class_name: str) -> str:
    """File name of the sheet of a class; what a file name cannot hold becomes _."""
    return f"{label:02d}_{UNSAFE.sub('_', class_name)[:64]}.png"


def contact_sheet(title: str, thumbnails: Sequence[np.ndarray]) -> bytes:
    """The PNG of a sheet.

    Args:
        title: its headline.
        thumbnails: uint8[SIDE, SIDE, 3] each, at most `IMAGES`.
    """
    rows = -(-len(thumbnails) // COLUMNS)
    width = COLUMNS * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, TITLE + rows * (SIDE + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, fill=INK, font=ImageFont.load_default(15))
    for number, thumbnail in enumerate(thumbnails):
        row, column = divmod(number, COLUMNS)
        corner = (GAP + column * (SIDE + GAP), TITLE + row * (SIDE + GAP))
        sheet.paste(Image.fromarray(thumbnail), corner)
    return encode_png(np.asarray(sheet))
