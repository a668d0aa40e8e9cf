"""The chunks of a PNG: checked, and taken off where they are metadata."""

from __future__ import annotations

import os
import zlib

import numpy as np
import pytest
import tensorflow as tf

from tests.encoding import chunk, encoded, flipped
from tests.images import noise, prepared, seen
from tests.tfrecords_tools.metadata_files import with_chunks
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images import png_file
from tfrecords_tools.images.png_file import take_apart

IMAGE = noise(0)
PNG = encoded(IMAGE, "PNG")
LARGE = bytes(range(256)) * 8000


@pytest.mark.parametrize(
    "content",
    [
        with_chunks(PNG, iTXt=b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<x/>" * 500_000)),
        with_chunks(PNG, iTXt=b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x/>" * 500_000),
        with_chunks(PNG, zTXt=b"Raw profile type exif\0\0" + zlib.compress(LARGE)),
        with_chunks(PNG, zTXt=b"Comment\0\0no zlib at all"),
        with_chunks(PNG, iCCP=b"name\0\0no zlib at all"),
        with_chunks(PNG, eXIf=b"no TIFF at all"),
        encoded(IMAGE, "PNG", icc_profile=os.urandom(128) + LARGE),
    ],
)
@pytest.mark.parametrize("size", [None, 24])
def test_large_and_odd_metadata_are_no_damage(content, size):
    expected = IMAGE if size is None else IMAGE[:, 4:28]
    np.testing.assert_array_equal(seen(prepared(content, size=size).encoded), expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PNG[:-1], "truncated"),
        (PNG[:20], "truncated"),
        (PNG[:33], "damaged"),
        (flipped(PNG, len(PNG) - 1), "damaged"),
        (with_chunks(PNG, tEXt=b"a\0b").replace(b"tEXta\0b", b"tEXta\0c"), "damaged"),
        (PNG[:33] + b"\xff\xff\xff\xffIDAT" + PNG[33:], "truncated"),
    ],
)
def test_damage(content, reason):
    with pytest.raises(Rejected) as caught:
        prepared(content)
    assert caught.value.reason == reason


def test_too_many_chunks(monkeypatch):
    monkeypatch.setattr(png_file, "MAX_CHUNKS", 10)
    prepared(PNG)
    with pytest.raises(Rejected, match="more than 10 chunks"):
        prepared(PNG[:33] + chunk(b"tEXt", b"a\0b") * 10 + PNG[33:])


def test_a_plain_png_is_not_copied():
    file = take_apart(PNG)
    assert file.pixels is PNG
    assert file.drawn is PNG


def test_colours_stay():
    content = with_chunks(PNG, gAMA=b"\0\0\xb1\x8f", pHYs=bytes(9), bKGD=bytes(6))
    assert prepared(content).encoded == content
    assert tf.io.decode_png(content).shape == IMAGE.shape
