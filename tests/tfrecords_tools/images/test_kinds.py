"""The kind of an image file comes from its first bytes."""

from __future__ import annotations

import pytest

from tests.tfrecords_tools import hostile
from tfrecords_tools.images.kinds import HEAD_BYTES, kind_of

SUFFIX_KINDS = {
    **{"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF"},
    **{"tiff": "TIFF", "gif": "GIF", "ppm": "PPM", "jp2": "JPEG2000"},
}


@pytest.mark.parametrize("name", hostile.sound())
def test_sound_images(name):
    content = hostile.sound()[name]
    named = {"png_named.jpg": "PNG", "webp_named.jpg": "WEBP"}
    expected = named.get(name) or SUFFIX_KINDS[name.lower().rpartition(".")[2]]
    assert kind_of(content[:HEAD_BYTES]) == kind_of(content) == expected


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x14ftypheix\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x14ftypisom\0\0\0\0mp42", None),
        (b"\0\0\0\x10ftypmp42\0\0\0\0heic", None),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(132), None),
        (b"P3\n# grey\n2 2", "PPM"),
        (b"P1 was seen in May", None),
        (b"P1,mel,left arm", None),
        (b"BMI and age of all patients", None),
        (b"%PDF-1.7", None),
        (b"%!PS-Adobe-3.0 EPSF-3.0", None),
        (b"", None),
    ],
)
def test_by_first_bytes(head, kind):
    assert kind_of(head.ljust(HEAD_BYTES, b"\0") if head else head) == kind
