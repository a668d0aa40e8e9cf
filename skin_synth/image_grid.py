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
    from PIL import Image

CELL_GAP = 2
LABEL_MARGIN = 8
LABEL_FONT_SIZE = 15
GRID_BACKGROUND = (255, 255, 255)
LABEL_INK = (24, 24, 27)
LEGIBLE_CELL = 64
"""Smaller images are enlarged to about this side in pixels."""


def image_grid(
    images: np.ndarray | Sequence[np.ndarray],
    row_labels: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    scale: int | None = None,
) -> bytes:
    """Draws rows of images with a label before each row.

    Args:
        images: uint8[rows, columns, height, width, 3], or for rows of unequal length a sequence of
            uint8[columns, height, width, 3].
        row_labels: one text for each row.
        path: of the PNG, written complete or not at all; None writes no file.
        scale: whole factor by which pixels are repeated; None enlarges small images to 64 pixels.

    Returns:
        The PNG file's bytes.

    Raises:
        ValueError: shapes, dtype, number of labels or scale do not match.
    """
    rows = [_checked(row) for row in images]
    if len(rows) != len(row_labels) or not rows:
        raise ValueError(f"needs rows and one label a row, got {len(rows)} and {len(row_labels)}")
    if len({row.shape[1:3] for row in rows}) > 1:
        raise ValueError(f"rows hold images of several sizes: {[row.shape for row in rows]}")
    factor = max(1, round(LEGIBLE_CELL / rows[0].shape[1])) if scale is None else scale
    if factor < 1:
        raise ValueError(f"scale must be 1 or more, got {scale}")
    png = _png(_draw(rows, row_labels, factor))
    if path is not None:
        with new_file(Path(path)) as file:
            file.write_bytes(png)
    return png


def png_bytes(image: np.ndarray) -> bytes:
    """Encodes one image as a PNG file: uint8[height, width, 3] to bytes."""
    from PIL import Image

    return _png(Image.fromarray(image))


def _checked(row: np.ndarray) -> np.ndarray:
    if row.ndim != 4 or row.shape[3] != 3 or row.dtype != np.uint8:
        raise ValueError(
            f"a row must be uint8[columns, height, width, 3], got {row.dtype}{list(row.shape)}"
        )
    return row


def _draw(rows: Sequence[np.ndarray], labels: Sequence[str], factor: int) -> Image.Image:
    from PIL import Image, ImageDraw

    from tfrecords_tools.lettering import lettering

    written = [lettering(label, LABEL_FONT_SIZE) for label in labels]
    gutter = round(max(font.getlength(text) for text, font in written)) + 2 * LABEL_MARGIN
    height, width = (side * factor for side in rows[0].shape[1:3])
    columns = max(len(row) for row in rows)
    size = (gutter + columns * (width + CELL_GAP), len(rows) * (height + CELL_GAP))
    canvas = Image.new("RGB", size, GRID_BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for i, (row, (text, font)) in enumerate(zip(rows, written, strict=True)):
        top = i * (height + CELL_GAP)
        draw.text((LABEL_MARGIN, top + height // 2), text, fill=LABEL_INK, font=font, anchor="lm")
        for j, image in enumerate(row):
            large = image.repeat(factor, axis=0).repeat(factor, axis=1)
            canvas.paste(Image.fromarray(large), (gutter + j * (width + CELL_GAP), top))
    return canvas


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
