"""Images of 16 and 32 bits a channel: what they become in 8 bits, or why nothing.

No such file says which part of the range it uses. An image of which most lies beyond the documented
ranges, or that uses a sliver of one alone, is rejected: it would become white or black.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfrecords_tools.errors import Rejected

RANGE_UNCLEAR = "range_unclear"
"""Why an image is rejected whose values do not tell what is black and what is white."""
GREATEST = 65535
"""Of 16 bits."""
OVERSHOOT = 0.05
"""Of a range: so far beyond its ends lies what interpolation adds. It is clipped."""
MOST_BEYOND = 0.5
"""Share of values above a range up to which they are clipped, too, as glare is."""
BRIGHT = 2**12
"""Of 16 bits: an image without a value so great holds 8, 10 or 12 bits, or would have 16 grey
levels at the most."""
BRIGHT_FLOAT = 2**-6
"""Of floats in [0, 1]: an image without a value so great would have four grey levels."""


def deep_png(content: bytes, *, transparent_colour: bool) -> Image.Image:
    """A 16-bit PNG in 8-bit RGB: values divided by 257 and rounded, alpha composited on white.

    Pillow would keep the upper bytes only.

    Args:
        content: the file.
        transparent_colour: whether the file names one, which becomes white.

    Raises:
        Rejected: the range of its values is unclear.
    """
    import tensorflow as tf

    channels = 4 if transparent_colour else 0  # as many as there are
    values = tf.io.decode_png(content, channels, dtype=tf.uint16).numpy()
    channels = values.shape[-1]
    colour = values[..., : channels - 1 + channels % 2]
    _scale(colour, floats=False)
    colour = colour.astype(np.float64) / 257
    if channels % 2 == 0:
        alpha = values[..., -1:].astype(np.float64) / GREATEST
        colour = colour * alpha + 255 * (1 - alpha)
    rounded = np.rint(colour).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(rounded, (*rounded.shape[:2], 3)))


def deep_grey(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits in 8: 16-bit values scaled by 1/257, floats in [0, 1] by 255.

    Args:
        image: of mode F, I, or one of the modes I;16. What is no number counts as 0.

    Raises:
        Rejected: the range of its values is unclear.
    """
    values = np.nan_to_num(np.asarray(image, np.float64))
    scale = _scale(values, floats=image.mode == "F")
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def check_upper_bytes(image: Image.Image) -> None:
    """Checks an image of 16 bits a channel, of which the decoder has kept the upper bytes.

    Args:
        image: RGB, with alpha or without; others are not looked at.

    Raises:
        Rejected: the range of its values is unclear.
    """
    if image.mode in ("RGB", "RGBA"):
        colour = np.asarray(image)[..., :3]
        # The lower bytes are not known: the greatest that they can be.
        _scale(256.0 * colour + 255, floats=False)


def _scale(values: np.ndarray, *, floats: bool) -> float:
    """What makes 8 bits of values of this range."""
    least, greatest = float(values.min()), float(values.max())
    is_unit = floats and greatest <= 1 + OVERSHOOT
    full, bright = (1, BRIGHT_FLOAT) if is_unit else (GREATEST, BRIGHT)
    beyond = float((values > (1 + OVERSHOOT) * full).mean())
    if least < -OVERSHOOT * full or beyond > MOST_BEYOND or 0 < greatest < bright:
        raise Rejected(
            RANGE_UNCLEAR,
            f"its values go from {least:g} to {greatest:g}, where 0 is black and {full} is white: "
            "save it in 8 bits, or spread over that range",
        )
    return 255 / full
