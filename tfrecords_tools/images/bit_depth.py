"""Converts images of 16 and 32 bits a channel to 8 bits.

The files do not say which part of the range they use. An image is rejected if most of its values
are outside the documented ranges or in a very small part of one: it would become white or black.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
STRIP_PIXELS = 2**20
"""Pixels converted at a time."""


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
    colours = channels - 1 + channels % 2
    _scale(lambda rows: values[rows, :, :colours], values.shape[:2], floats=False)
    image = np.empty((*values.shape[:2], 3), np.uint8)
    for rows in _strips(values.shape[:2]):
        colour = values[rows, :, :colours].astype(np.float64) / 257
        if channels % 2 == 0:
            alpha = values[rows, :, -1:].astype(np.float64) / MAX_UINT16
            colour = colour * alpha + 255 * (1 - alpha)
        image[rows] = np.rint(colour)
    return Image.fromarray(image)


def grey_to_8_bits(image: Image.Image) -> Image.Image:
    """Scales grey of mode F, I or I;16 to 8 bits; NaN counts as 0.

    16-bit values are scaled by 1/257, floats in [0, 1] by 255.

    Raises:
        Rejected: the range of the values is unclear.
    """
    shape = (image.height, image.width)

    def values(rows: slice) -> np.ndarray:
        strip = image.crop((0, rows.start, image.width, rows.stop))
        return np.nan_to_num(np.asarray(strip, np.float64))

    scale = _scale(values, shape, floats=image.mode == "F")
    grey = np.empty(shape, np.uint8)
    for rows in _strips(shape):
        grey[rows] = np.clip(np.rint(values(rows) * scale), 0, 255)
    return Image.fromarray(grey)


def check_upper_bytes(image: Image.Image) -> None:
    """Checks RGB or RGBA images of 16 bits of which the decoder kept the upper bytes.

    Raises:
        Rejected: the range of the values is unclear.
    """

    def values(rows: slice) -> np.ndarray:
        strip = image.crop((0, rows.start, image.width, rows.stop))
        # The lower bytes are unknown, so their maximum is assumed.
        return 256.0 * np.asarray(strip)[..., :3] + 255

    if image.mode in ("RGB", "RGBA"):
        _scale(values, (image.height, image.width), floats=False)


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yields the rows of each strip of an image [height, width]: strips take little memory."""
    height, width = shape
    step = max(STRIP_PIXELS // width, 1)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _scale(values: Callable[[slice], np.ndarray], shape: tuple[int, ...], *, floats: bool) -> float:
    """Returns the factor that scales to 8 bits the values that `values` returns for some rows."""
    strips = list(_strips(shape))
    least = float(min(values(rows).min() for rows in strips))
    greatest = float(max(values(rows).max() for rows in strips))
    is_unit = floats and greatest <= 1 + MAX_OVERSHOOT
    full, bright = (1, MIN_BRIGHT_FLOAT) if is_unit else (MAX_UINT16, MIN_BRIGHT_UINT16)
    limit, above = (1 + MAX_OVERSHOOT) * full, 0.0
    if greatest > limit:
        counts = [(np.count_nonzero(found > limit), found.size) for found in map(values, strips)]
        above = sum(count for count, _ in counts) / sum(size for _, size in counts)
    if least < -MAX_OVERSHOOT * full or above > MAX_SHARE_ABOVE or 0 < greatest < bright:
        raise Rejected(
            "range_unclear",
            f"its values go from {least:g} to {greatest:g}, where 0 is black and {full} is white: "
            "save it in 8 bits, or scaled to that range",
        )
    return 255 / full
