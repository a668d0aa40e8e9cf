"""The parts of a JPEG file: its markers, without a look at the compressed pixels.

Source: ITU-T T.81, annex B; JFIF 1.02; the segments of EXIF, XMP, ICC and Photoshop.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from tfrecords_tools.errors import Rejected

START, END = b"\xff\xd8", b"\xff\xd9"
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker in the data of a JPEG that is neither a stuffed byte nor a restart marker."""
WITHOUT_LENGTH = (0x01, 0xD8)
"""Markers that no length follows (and the restart markers, which `MARKER` does not find)."""
SCAN, COMMENT = 0xDA, 0xFE
APPLICATION = range(0xE0, 0xF0)
"""Markers of segments for programs: JFIF, EXIF, XMP, colour profiles and others."""
EXIF, XMP, MORE_XMP = (
    b"Exif\0\0",
    b"http://ns.adobe.com/xap/1.0/\0",
    b"http://ns.adobe.com/xmp/extension/\0",
)
MORE_XMP_HEAD = len(MORE_XMP) + 40
"""Bytes before the text in a segment of a long XMP packet: also its id and its position."""
PHOTOSHOP, JFIF, PROFILE, ADOBE = b"Photoshop 3.0\0", b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
JFIF_BYTES = 12
"""Bytes of a JFIF segment before the size of its thumbnail."""
MAX_SEGMENTS = 10_000
MAX_SCANS = 64
"""A decoder goes through the whole image for each scan. Usual progressive JPEGs have up to 12."""


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """A marker with the bytes that belong to it.

    Attributes:
        marker: its second byte.
        payload: bytes after the length; empty for a marker without length.
        whole: from the marker to the next one, a view of the file; of a scan, the compressed
            pixels too.
    """

    marker: int
    payload: bytes
    whole: memoryview


@dataclasses.dataclass(frozen=True)
class JpegFile:
    """A JPEG taken apart.

    Attributes:
        pixels: the JPEG without metadata: with its colour profile, without EXIF, XMP, IPTC,
            comments, thumbnails, maker notes and all that follows its end.
        dropped: the segments that are not in `pixels`.
        is_bare: whether `pixels` is the whole file.
    """

    pixels: bytes
    dropped: tuple[Segment, ...]
    is_bare: bool


def take_apart(content: bytes) -> JpegFile:
    """Separates the image from the metadata.

    Raises:
        Rejected: a segment or the end is missing, or there are too many segments or scans.
    """
    kept: list[bytes | memoryview] = [START]
    dropped, scans = [], 0
    for segment in _segments(content):
        scans += segment.marker == SCAN
        if scans > MAX_SCANS:
            found = sum(other.marker == SCAN for other in _segments(content))
            raise Rejected("too_large", f"{found:,} scans, the limit is {MAX_SCANS}: save it anew")
        bare = _bare(segment)
        kept.append(bare)
        if len(bare) < len(segment.whole):
            dropped.append(segment)
    kept.append(END)
    is_bare = sum(map(len, kept)) == len(content)
    return JpegFile(content if is_bare else b"".join(kept), tuple(dropped), is_bare)


def with_segment(content: bytes, marker: int, payload: bytes) -> bytes:
    """Returns a JPEG with one more segment, behind that of JFIF if there is one."""
    position = len(START)
    if content[position + 4 :].startswith(JFIF):
        position += 2 + int.from_bytes(content[position + 2 : position + 4])
    segment = bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload
    return content[:position] + segment + content[position:]


def _segments(content: bytes) -> Iterator[Segment]:
    """Yields what is between the first start marker and the end marker; bytes between are lost."""
    view, position = memoryview(content), len(START)
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(content, position)
        if found is None:
            raise Rejected("truncated", "it has no end marker")
        if found[0] == END:
            return
        start, position, marker = found.start(), found.end(), found[0][1]
        payload = b""
        if marker not in WITHOUT_LENGTH:
            length = int.from_bytes(content[position : position + 2])
            if length < 2 or position + length > len(content):
                raise Rejected("truncated", f"its segment FF{marker:02X} is not whole")
            payload = content[position + 2 : position + length]
            position += length
        if marker == SCAN:
            following = MARKER.search(content, position)
            position = following.start() if following else len(content)
        yield Segment(marker, payload, view[start:position])
    raise Rejected("damaged", f"more than {MAX_SEGMENTS:,} segments: save it anew")


def _bare(segment: Segment) -> bytes | memoryview:
    """Returns the bytes of a segment without metadata; empty if it is nothing else."""
    if segment.marker == COMMENT:
        return b""
    if segment.marker not in APPLICATION:
        return segment.whole
    number, payload = segment.marker - APPLICATION.start, segment.payload
    if number == 0 and payload.startswith(JFIF) and len(payload) >= JFIF_BYTES:
        bare = payload[:JFIF_BYTES] + b"\0\0"  # no thumbnail
        return bytes(segment.whole[:2]) + (len(bare) + 2).to_bytes(2) + bare
    kept = (number == 2 and payload.startswith(PROFILE)) or (
        number == 14 and payload.startswith(ADOBE)
    )
    return segment.whole if kept else b""
