"""Labelled grids of images, as PNG: classes in rows."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfrecords_tools.atomic import new_file

if TYPE_CHECKING:
    from PIL import Image, ImageFont

GAP = 2
MARGIN = 8
FONT_SIZE = 15
BACKGROUND = (255, 255, 255)
INK = (24, 24, 27)
LEGIBLE_CELL = 64
"""Smaller images are enlarged to about so many pixels."""


def image_grid(
    images: np.ndarray | Sequence[np.ndarray],
    row_labels: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    scale: int | None = None,
) -> bytes:
    """Paints rows of images with a label before each.

    Args:
        images: uint8[rows, columns, height, width, 3], or for rows of unequal length a sequence of
            uint8[columns, height, width, 3].
        row_labels: one text for each row.
        path: where the PNG is written, complete or not at all; None writes no file.
        scale: whole factor by which pixels are repeated; None enlarges small images to 64 pixels.

    Returns:
        The PNG file's bytes.

    Raises:
        ValueError: shapes, dtype, number of labels or scale do not fit.
    """
    rows = [_checked(row) for row in images]
    if len(rows) != len(row_labels) or not rows:
        raise ValueError(f"needs one label a row and a row, got {len(rows)} and {len(row_labels)}")
    height, width = rows[0].shape[1:3]
    if any(row.shape[1:3] != (height, width) for row in rows):
        raise ValueError(f"rows hold images of several sizes: {[row.shape for row in rows]}")
    factor = max(1, round(LEGIBLE_CELL / height)) if scale is None else scale
    if factor < 1:
        raise ValueError(f"scale must be 1 or more, got {scale}")
    png = _png(_paint(rows, row_labels, (height * factor, width * factor), factor))
    if path is not None:
        _write(Path(path), png)
    return png


def png_bytes(image: np.ndarray) -> bytes:
    """One image as a PNG file: uint8[height, width, 3] to bytes."""
    from PIL import Image

    return _png(Image.fromarray(image))


def _checked(row: np.ndarray) -> np.ndarray:
    if row.ndim != 4 or row.shape[3] != 3 or row.dtype != np.uint8:
        raise ValueError(
            f"a row must be uint8[columns, height, width, 3], got {row.dtype}{list(row.shape)}"
        )
    return row


def _paint(
    rows: Sequence[np.ndarray], labels: Sequence[str], cell: tuple[int, int], factor: int
) -> Image.Image:
    from PIL import Image, ImageDraw

    font = _font()
    gutter = round(max(font.getlength(label) for label in labels)) + 2 * MARGIN
    columns = max(len(row) for row in rows)
    size = (gutter + columns * (cell[1] + GAP), len(rows) * (cell[0] + GAP))
    canvas = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        top = i * (cell[0] + GAP)
        draw.text((MARGIN, top + cell[0] // 2), label, fill=INK, font=font, anchor="lm")
        for j, image in enumerate(row):
            large = image.repeat(factor, axis=0).repeat(factor, axis=1)
            canvas.paste(Image.fromarray(large), (gutter + j * (cell[1] + GAP), top))
    return canvas


def _font() -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(FONT_SIZE)
    if not isinstance(font, ImageFont.FreeTypeFont):  # pragma: no cover
        raise RuntimeError("this Pillow was built without FreeType; install the wheel from PyPI")
    return font


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with new_file(path) as file:
        file.write_bytes(content)
