"""Metadata: dropped without a change of the pixels, counted, and read for synthetic images."""

from __future__ import annotations

import dataclasses
import io
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.encoding import chunk, encoded
from tests.images import noise, photograph, prepared, seen
from tests.tfrecords_tools import metadata_files as files
from tfrecords_tools.images.image_file import read_metadata
from tfrecords_tools.images.jpeg_file import EXIF, PHOTOSHOP, XMP, Segment, take_apart
from tfrecords_tools.images.metadata import IDENTIFYING, marked_synthetic, of_jpeg

IMAGE = photograph(0, 40, 56)
MADE = {
    "baseline.jpg": lambda: files.named_jpeg(IMAGE),
    "progressive.jpg": lambda: files.named_jpeg(IMAGE, progressive=True),
    "grey.jpg": lambda: files.named_jpeg(IMAGE[..., 0]),
    "plain.png": lambda: files.named_png(IMAGE),
    "palette.png": lambda: files.named_png(Image.fromarray(IMAGE).quantize(20)),
}


@pytest.mark.parametrize("name", MADE)
def test_names_are_dropped_without_a_change_of_the_pixels(name):
    content = MADE[name]()
    found = prepared(content)
    assert found.untouched
    assert found.has_profile
    assert found.identifying == frozenset(IDENTIFYING)
    assert files.NAME.encode() in content
    assert files.NAME.encode() not in found.encoded
    assert b"Exif" not in found.encoded
    assert b"eXIf" not in found.encoded
    np.testing.assert_array_equal(seen(found.encoded), seen(content))
    with Image.open(io.BytesIO(found.encoded)) as image:
        assert image.info["icc_profile"] == b"a profile" * 99
        assert not image.getexif()
    again = prepared(found.encoded)
    assert again.encoded == found.encoded
    assert not again.identifying


@pytest.mark.parametrize("name", MADE)
def test_metadata_are_kept_on_request(name):
    content = MADE[name]()
    assert prepared(content, keep_metadata=True).encoded == content


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_resized_image_names_nobody_and_is_counted(format):
    content = encoded(IMAGE, format, exif=files.exif())
    found = prepared(content, size=16)
    # Pillow writes only the name into a TIFF.
    assert found.identifying == ({"name_or_text"} if format == "TIFF" else frozenset(IDENTIFYING))
    assert files.NAME.encode() not in found.encoded


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(IMAGE, "JPEG"), set()),
        (encoded(IMAGE, "JPEG", exif=files.exif(Make="Canon", Model="EOS", Orientation=1)), set()),
        (encoded(IMAGE, "JPEG", exif=files.exif(ImageDescription="   ")), set()),
        (encoded(IMAGE, "JPEG", exif=files.exif(Artist="Jane Roe")), {"name_or_text"}),
        (encoded(IMAGE, "JPEG", exif=files.exif(XPAuthor=b"J\0a\0n\0e\0")), {"name_or_text"}),
        (encoded(IMAGE, "JPEG", comment=b"born 1970"), {"name_or_text"}),
        (encoded(IMAGE, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\1\1"), set()),
        (
            files.with_segments(encoded(IMAGE, "JPEG"), files.iptc(s90="Zurich")),
            {"place"},
        ),
        (
            files.with_segments(
                encoded(IMAGE, "JPEG"),
                files.segment(0xE1, files.XMP + files.xmp("<aux:SerialNumber>1</>")),
            ),
            {"serial_number"},
        ),
        (files.with_chunks(encoded(IMAGE, "PNG"), tEXt=b"Software\0GIMP"), set()),
        (files.with_chunks(encoded(IMAGE, "PNG"), tEXt=b"Patient\0Jane Roe"), {"name_or_text"}),
    ],
)  # fmt: skip
def test_what_identifies(content, expected):
    assert prepared(content).identifying == expected


def ours(image: np.ndarray) -> bytes:
    text = b"skin_synth:label\0\0\0\0\0naevus"
    return files.with_chunks(encoded(image, "PNG"), iTXt=text)


def with_xmp(format: str, kind: str) -> bytes:
    packet = files.xmp_of_source(kind)
    if format == "JPEG":
        return files.with_segments(encoded(IMAGE, "JPEG"), files.segment(0xE1, files.XMP + packet))
    if format == "PNG":
        text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
        return files.with_chunks(encoded(IMAGE, "PNG"), iTXt=text)
    if format == "raw":
        digits = packet.hex().encode()
        text = b"Raw profile type xmp\0\0" + zlib.compress(b"\nxmp\n%8d\n" % len(packet) + digits)
        return files.with_chunks(encoded(IMAGE, "PNG"), zTXt=text)
    if format == "C2PA":
        return files.with_chunks(encoded(IMAGE, "PNG"), caBX=b"jumb" + packet)
    if format == "TIFF":
        return encoded(IMAGE, "TIFF", tiffinfo={700: packet})
    return encoded(IMAGE, format, xmp=packet, lossless=True)


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "raw", "C2PA", "WEBP", "TIFF"])
def test_iptc_mark_of_others(format, size):
    for kind in ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"):
        found = prepared(with_xmp(format, kind), size=size)
        assert found.synthetic
        # What a record holds still says so, in any format.
        assert prepared(found.encoded).synthetic
        assert read_metadata(found.encoded).says_synthetic
    assert not prepared(with_xmp(format, "digitalCapture"), size=size).synthetic


def test_mark_of_skin_synth():
    content = ours(IMAGE)
    kept = prepared(content)
    assert kept.synthetic
    assert kept.encoded == content
    assert not kept.identifying
    resized = prepared(content, size=16)
    assert resized.synthetic
    assert prepared(resized.encoded).synthetic
    assert prepared(prepared(content, size=16, encoding="jpeg").encoded).synthetic


def test_a_mark_is_written_once():
    for format in ("JPEG", "PNG"):
        content = encoded(noise(0), format)
        marked = marked_synthetic(content)
        assert marked_synthetic(marked) == marked
        np.testing.assert_array_equal(seen(marked), seen(content))
    assert marked_synthetic(ours(noise(0))) == ours(noise(0))


def test_many_texts_take_little_memory():
    bomb = zlib.compress(bytes(2**24))
    texts = b"".join(chunk(b"zTXt", b"Raw profile type xmp\0\0" + bomb) for _ in range(200))
    content = encoded(IMAGE, "PNG")
    assert not prepared(content[:33] + texts + content[33:]).synthetic


@pytest.mark.parametrize(
    ("marker", "start", "part"),
    [(0xE1, XMP, "xmp"), (0xE1, EXIF, None), (0xED, PHOTOSHOP, "iptc"), (0xEB, b"JP", "claims")],
)
def test_many_segments_are_read_in_linear_time(marker, start, part):
    """A copy of all so far for each segment would move 73 GB."""
    payload = start + bytes(65_533 - len(start))
    plain = take_apart(encoded(noise(0), "JPEG"))
    segments = 1_500 * (Segment(marker, payload, memoryview(payload)),)
    started = time.process_time()
    found = of_jpeg(dataclasses.replace(plain, dropped=segments))
    assert time.process_time() - started < 2
    assert part is None or len(getattr(found, part)) > 1_490 * 65_000
