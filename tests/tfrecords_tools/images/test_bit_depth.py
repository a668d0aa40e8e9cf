"""16 and 32 bits a channel: scaled where the range is clear, and never black in silence."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from tests import encoding
from tests.images import prepared, seen
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images.image_file import decode
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


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_scaled_to_8(channels):
    values = np.random.default_rng(0).integers(0, 2**16, (12, 12, channels), np.uint16)
    values[0, 0], values[0, 1] = 0, 65535
    found = seen(prepared(encoding.png16(values)).encoded)
    np.testing.assert_array_equal(found, np.rint(values / 257).repeat(3 // channels, -1))
    assert (found[0, 0] == 0).all()
    assert (found[0, 1] == 255).all()


@pytest.mark.xfail(reason="Pillow keeps the upper byte")
def test_16_bits_of_other_files_are_scaled_to_8():
    values = np.random.default_rng(0).integers(0, 2**16, (12, 12, 3), np.uint16)
    found = seen(prepared(tiff16(values)).encoded)
    np.testing.assert_allclose(found, values / 257, atol=0.51)


@pytest.mark.parametrize("size", [None, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_colour_of_16_bits_becomes_white(channels, size):
    values = np.random.default_rng(0).integers(0, 2**16, (12, 12, channels), np.uint16)
    values[5, 5] = values[0, 0]
    colour = values[0, 0].astype(">u2").tobytes()
    content = encoding.with_chunk(encoding.png16(values), b"tRNS", colour)
    expected = np.where((values == values[0, 0]).all(-1, keepdims=True), 255, values / 257)
    found = seen(prepared(content, size=size).encoded)
    np.testing.assert_allclose(found, expected.repeat(3 // channels, -1), atol=0.51)
    assert (found[5, 5] == 255).all()


def tiff16(values: np.ndarray) -> bytes:
    """The 16-bit TIFF of uint16[height, width, 3], which Pillow does not write."""
    height, width, _ = values.shape
    ones = {256: width, 257: height, 259: 1, 262: 2, 273: 256, 277: 3, 278: height}
    entries = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in ones.items()}
    entries[258] = struct.pack("<HHII", 258, 3, 3, 240)  # bits a channel are at 240
    entries[279] = struct.pack("<HHII", 279, 4, 1, values.nbytes)
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    head = b"II*\0" + struct.pack("<I", 8) + directory + bytes(4)
    bits = struct.pack("<HHH", 16, 16, 16)
    return head.ljust(240, b"\0") + bits.ljust(16, b"\0") + values.astype("<u2").tobytes()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1, np.nan], [0, 128, 255, 0]),
        ([0, 257, 65535, 1e9], [0, 1, 255, 255]),
        ([-0.04, 0.5, 1.001, 1.05], [0, 128, 255, 255]),
    ],
)
def test_floats(values, expected):
    image = np.repeat(np.array(values, np.float32)[:, None], 8, 0).reshape(32, 1).repeat(9, 1)
    found = seen(prepared(encoding.encoded(Image.fromarray(image), "TIFF")).encoded)
    np.testing.assert_allclose(found[::8, 0, 0], expected, atol=0.5)
