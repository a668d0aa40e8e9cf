"""How to encode an image as JPEG with the quality of the JPEG from which it comes."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

TRANSPOSING = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
)
"""The operations that exchange width and height."""


def own_quality(image: Any, turn: Image.Transpose | None) -> dict[str, Any] | None:
    """Returns options to encode the turned image of a JPEG with the tables of its file.

    None if the file has four channels, which RGB does not have.
    """
    if image.mode not in ("RGB", "L"):
        return None
    # Pillow gives the first table to brightness, the second one to both colours.
    numbers = [layer[3] for layer in image.layer[:2]]
    tables = [np.array(image.quantization[number]).reshape(8, 8) for number in numbers]
    sampling = JpegImagePlugin.get_sampling(image)
    if turn in TRANSPOSING:
        tables = [table.T for table in tables]
    if sampling not in (0, 2) or (turn in TRANSPOSING and sampling != 2):
        sampling = 0  # others are not the same in both directions
    return {"qtables": [table.ravel().tolist() for table in tables], "subsampling": sampling}
