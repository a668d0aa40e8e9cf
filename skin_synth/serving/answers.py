"""Checks answers of a server: outputs, numbers of rows, shapes, types, PNGs.

A server is foreign: each value is checked before it is used, and each size before memory is taken.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from skin_synth.serving.errors import ServingError
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images.kinds import PNG
from tfrecords_tools.images.opening import opened
from tfrecords_tools.text import escaped

IMAGE, IMAGE_BYTES, LABEL_ID = "image", "image_bytes", "label_id"
OUTPUTS = {
    "serving_default": (IMAGE_BYTES, LABEL_ID),
    "generate": (IMAGE,),
    "from_latent": (IMAGE,),
}
"""The outputs of each signature; others are not read."""
LARGEST_SIDE = 1024
"""Largest height and width of an image, in pixels: of the largest preset that there can be."""
LARGEST_ANSWER = 256 * 2**20
"""Largest answer in bytes; gRPC's default, 4 MiB, is 20 images at 256x256."""
BYTES_PER_ROW = 16 * 2**20
"""An answer has at most so many bytes for each row: an image of `LARGEST_SIDE` as JSON."""
DATA_LOSS = "DATA_LOSS"
PNG_START = struct.Struct(">8s4x4sII")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Answer(NamedTuple):
    """The outputs of a model by name, and its version; empty if the server does not name it."""

    outputs: dict[str, np.ndarray]
    version: str


def largest_answer(rows: int) -> int:
    """Returns the most bytes of an answer to a request of so many rows."""
    return min(LARGEST_ANSWER, (rows + 1) * BYTES_PER_ROW)


def check_shape(name: str, shape: tuple[int, ...], rows: int) -> None:
    """Checks the shape of an output: n rows, and square images of at most `LARGEST_SIDE`.

    Raises:
        ServingError: another shape.
    """
    expected = f"({rows}, side, side, 3)" if name == IMAGE else f"({rows},)"
    good = len(shape) == (4 if name == IMAGE else 1) and shape[0] == rows
    if good and name == IMAGE:
        _, height, width, channels = shape
        good = 1 <= height == width <= LARGEST_SIDE and channels == 3
    if not good:
        raise wrong_answer(f"{name} has the shape {shape}, requested was {expected}")


def check_type(name: str, dtype: Any) -> None:
    """Checks the type of an output, a NumPy type.

    Raises:
        ServingError: another type.
    """
    expected = {IMAGE: np.uint8, LABEL_ID: np.int64, IMAGE_BYTES: object}[name]
    if dtype != expected:
        raise wrong_answer(f"{name} has the type {dtype}, not {np.dtype(expected)}")


def checked(outputs: Mapping[str, Any], signature: str, rows: int) -> dict[str, np.ndarray]:
    """Returns the outputs of a signature, with their shapes, types and values checked.

    Args:
        outputs: arrays by name.
        signature: one of `OUTPUTS`.
        rows: of the request.

    Raises:
        ServingError: an output is missing, or is not what was requested.
    """
    found = {}
    for name in OUTPUTS[signature]:
        if name not in outputs:
            there = escaped(", ".join(sorted(outputs)))[:200] or "nothing"
            raise wrong_answer(f"the output {name} is missing, it has {there}")
        values = outputs[name]
        check_shape(name, values.shape, rows)
        check_type(name, values.dtype)
        found[name] = values
    if LABEL_ID in found and found[LABEL_ID].min() < 0:
        raise wrong_answer(f"{LABEL_ID} has {found[LABEL_ID].min()}")
    return found


def from_json(name: str, values: Any) -> np.ndarray:
    """Converts an output of the REST API; if its name ends in _bytes, it has {"b64": ...}.

    Raises:
        ServingError: values of another kind.
    """
    try:
        if name.endswith("_bytes"):
            decoded = [base64.b64decode(value["b64"], validate=True) for value in values]
            array = np.empty(len(decoded), object)
            array[:] = decoded
            return array
        array = np.asarray(values)
        dtype = np.uint8 if name == IMAGE else np.int64
        if array.dtype.kind != "i":  # of any other list, such as fractions or more than 64 bits
            raise ValueError(f"{array.dtype} values")
        narrow = array.astype(dtype)
        if (narrow != array).any():
            raise ValueError(f"values from {array.min()} to {array.max()}")
        return narrow
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        reason = escaped(str(error))[:200]
        raise wrong_answer(f"{name} has values that are not its own ({reason})") from error


def decode_png(png: bytes, side: int | None) -> np.ndarray:
    """Decodes a PNG of a server: uint8[side, side, 3].

    Args:
        png: the file.
        side: expected height and width; None for any up to `LARGEST_SIDE`.

    Raises:
        ServingError: no PNG, a damaged one, or one of another size or mode.
    """
    try:
        signature, chunk, width, height = PNG_START.unpack_from(png)
    except struct.error:
        signature, chunk, width, height = b"", b"", 0, 0
    if signature != PNG_SIGNATURE or chunk != b"IHDR":
        raise ServingError("the server sent a damaged PNG (its first bytes are no PNG)", DATA_LOSS)
    # Before the pixels are decoded, because a few bytes can mean gigabytes.
    if not 1 <= width == height <= LARGEST_SIDE or side not in (None, width):
        expected = f"{side}x{side}" if side else f"square, and at most {LARGEST_SIDE} pixels"
        raise wrong_answer(f"a PNG has {width}x{height} pixels, expected was {expected}")
    try:
        with opened(png, allowed=(PNG,)) as image:
            image.load()
            mode, pixels = image.mode, np.asarray(image)
    except Rejected as rejected:
        reason = rejected.detail
        raise ServingError(f"the server sent a damaged PNG ({reason})", DATA_LOSS) from rejected
    except Exception as error:  # Pillow raises many types
        reason = escaped(str(error))[:200]
        raise ServingError(f"the server sent a damaged PNG ({reason})", DATA_LOSS) from error
    if mode != "RGB":
        raise wrong_answer(f"a PNG has the mode {mode}, not RGB")
    return pixels


def wrong_answer(what: str) -> ServingError:
    """Returns the error for an answer that is not what was requested."""
    return ServingError(
        f"the server sent a wrong answer: {what}; is its model an export of Skin Synth?", DATA_LOSS
    )
