"""The segments of a JPEG: counted, bounded, and taken off where they are metadata."""

from __future__ import annotations

import time

import pytest

from tests.encoding import encoded
from tests.images import photograph, prepared
from tests.tfrecords_tools.metadata_files import segment
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images.jpeg_file import MAX_SCANS, MAX_SEGMENTS, take_apart

IMAGE = photograph(0, 40, 56)


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    content = encoded(IMAGE, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    missing = count - content.count(b"\xff\xda")
    return content[:last] + content[last:-2] * (missing + 1) + content[-2:]


def test_too_many_scans():
    prepared(with_scans(MAX_SCANS))
    with pytest.raises(Rejected, match=f"500 scans, the limit is {MAX_SCANS}") as caught:
        prepared(with_scans(500))
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes.fromhex("ffd8ffe0") + bytes(10**8), "truncated"),
        (b"\xff\xd8" + segment(0xFE, b"") * (MAX_SEGMENTS + 1), "damaged"),
        (b"\xff\xd8\xff\xe0\x00", "truncated"),
        (b"\xff\xd8\xff\xe0\x00\x01\xff\xd9", "truncated"),
        (b"\xff\xd8\xff\xd9", "damaged"),
    ],
)
def test_no_image_in_short_time(content, reason):
    start = time.monotonic()
    with pytest.raises(Rejected) as caught:
        prepared(content)
    assert caught.value.reason == reason
    assert time.monotonic() - start < 5


def test_a_plain_jpeg_is_not_copied():
    content = encoded(IMAGE, "JPEG")
    assert take_apart(content).pixels is content
    assert take_apart(content).is_bare


def test_junk_between_segments_is_dropped():
    content = encoded(IMAGE, "JPEG")
    assert take_apart(content[:2] + b"\0junk\0" + content[2:]).pixels == content
    assert take_apart(content[:-2] + content[-2:] + bytes(4096)).pixels == content


def test_jfif_loses_its_thumbnail():
    content = encoded(IMAGE, "JPEG")
    length = 2 + int.from_bytes(content[4:6])
    assert content[6:11] == b"JFIF\0"
    fat = content[:2] + segment(0xE0, content[6:18] + b"\4\4" + bytes(48)) + content[2 + length :]
    assert take_apart(fat).pixels == content
