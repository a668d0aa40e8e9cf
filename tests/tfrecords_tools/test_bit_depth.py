"""16 and 32 bits a channel: scaled where the range is clear, and never black in silence."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.tfrecords_tools import encoding
from tests.tfrecords_tools.test_images import tiff16
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images import decode
from tfrecords_tools.options import ImageOptions


def ramp(least: float, greatest: float, dtype: type = np.float32) -> np.ndarray:
    """[16, 16] from the one value to the other."""
    return np.linspace(least, greatest, 256).reshape(16, 16).astype(dtype)


def tiff(values: np.ndarray) -> bytes:
    return encoding.encoded(Image.fromarray(values), "TIFF")


def shown(content: bytes) -> np.ndarray:
    return np.asarray(decode(content, ImageOptions()))


def refused(content: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        shown(content)
    assert caught.value.reason == "range_unclear"
    return caught.value.detail


@pytest.mark.parametrize(
    ("least", "greatest"),
    [(0, 255), (0, 4095), (0, 1.2), (-1, 1), (-0.5, 0.5), (0, 0.01), (0, 1e9)],
)
def test_floats_of_an_unclear_range(least, greatest):
    detail = refused(tiff(ramp(least, greatest)))
    assert f"from {np.float32(least):g} to {np.float32(greatest):g}, where 0 is" in detail


@pytest.mark.parametrize(
    ("least", "greatest"), [(0, 252), (0, 4095), (-9999, 60000), (0, 2**31 - 1)]
)
def test_whole_numbers_of_an_unclear_range(least, greatest):
    assert f"from {least:g} to {greatest:g}, where 0 is black and 65535 is" in refused(
        tiff(ramp(least, greatest, np.int32))
    )


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", ["grey.png", "colour.png", "alpha.png", "grey.tif", "colour.tif"])
def test_16_bits_that_hold_fewer(kind, bits):
    grey = ramp(0, 2**bits - 1, np.uint16)
    channels = {"grey": 1, "colour": 3, "alpha": 4}[kind.partition(".")[0]]
    values = np.repeat(grey[..., None], channels, -1)
    if channels == 4:
        values[..., 3] = 65535
    write = encoding.png16 if kind.endswith("png") else tiff16 if channels == 3 else tiff
    assert f"to {2**bits - 1}, where" in refused(write(grey if write is tiff else values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ramp(0, 4096, np.uint16), 16),
        (ramp(0, 16383, np.uint16), 64),
        (ramp(0, 100_000, np.int32), 255),
        (ramp(0, 65535, np.int32), 255),
        (ramp(0, 1.05), 255),
        (ramp(0, 0.02), 5),
        (np.zeros((16, 16), np.uint16), 0),
        (np.zeros((16, 16), np.float32), 0),
    ],
)
def test_clear_ranges(values, expected):
    image = shown(tiff(values))
    assert (image.min(), image.max()) == (0, expected)
