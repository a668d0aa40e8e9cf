"""Converts images of 16 and 32 bits a channel to 8 bits.

The files do not say which part of the range they use. An image is rejected if most of its values
are outside the documented ranges or in a very small part of one: it would become white or black.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfrecords_tools.errors import Rejected

MAX_UINT16 = 65535
MAX_OVERSHOOT = 0.05
"""Share of a range: values that exceed its ends by at most this come from interpolation and are
clipped."""
MAX_SHARE_ABOVE = 0.5
"""At most this share of values may be above a range, such as glare; they are clipped."""
MIN_BRIGHT_UINT16 = 2**12
"""If all values are smaller, the image holds 8, 10 or 12 bits, or at most 16 grey levels."""
MIN_BRIGHT_FLOAT = 2**-6
"""If all values in [0, 1] are smaller, the image would have four grey levels."""


def decode_16_bit_png(content: bytes, *, transparent_colour: bool) -> Image.Image:
    """Decodes to 8-bit RGB: values are divided by 257 and rounded, alpha is composited on white.

    Pillow would keep only the upper bytes. The transparent colour of the file becomes white.

    Raises:
        Rejected: the range of the values is unclear.
    """
    import tensorflow as tf

    channels = 4 if transparent_colour else 0  # as many as there are
    values = tf.io.decode_png(content, channels, dtype=tf.uint16).numpy()
    channels = values.shape[-1]
    colour = values[..., : channels - 1 + channels % 2]
    _scale(colour, floats=False)
    colour = colour.astype(np.float64) / 257
    if channels % 2 == 0:
        alpha = values[..., -1:].astype(np.float64) / MAX_UINT16
        colour = colour * alpha + 255 * (1 - alpha)
    rounded = np.rint(colour).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(rounded, (*rounded.shape[:2], 3)))


def grey_to_8_bits(image: Image.Image) -> Image.Image:
    """Scales grey of mode F, I or I;16 to 8 bits; NaN counts as 0.

    16-bit values are scaled by 1/257, floats in [0, 1] by 255.

    Raises:
        Rejected: the range of the values is unclear.
    """
    values = np.nan_to_num(np.asarray(image, np.float64))
    scale = _scale(values, floats=image.mode == "F")
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def check_upper_bytes(image: Image.Image) -> None:
    """Checks RGB or RGBA images of 16 bits of which the decoder kept the upper bytes.

    Raises:
        Rejected: the range of the values is unclear.
    """
    if image.mode in ("RGB", "RGBA"):
        colour = np.asarray(image)[..., :3]
        # The lower bytes are unknown, so their maximum is assumed.
        _scale(256.0 * colour + 255, floats=False)


def _scale(values: np.ndarray, *, floats: bool) -> float:
    """Returns the factor that scales the values to 8 bits."""
    least, greatest = float(values.min()), float(values.max())
    is_unit = floats and greatest <= 1 + MAX_OVERSHOOT
    full, bright = (1, MIN_BRIGHT_FLOAT) if is_unit else (MAX_UINT16, MIN_BRIGHT_UINT16)
    above = float((values > (1 + MAX_OVERSHOOT) * full).mean())
    if least < -MAX_OVERSHOOT * full or above > MAX_SHARE_ABOVE or 0 < greatest < bright:
        raise Rejected(
            "range_unclear",
            f"its values go from {least:g} to {greatest:g}, where 0 is black and {full} is white: "
            "save it in 8 bits, or scaled to that range",
        )
    return 255 / full
