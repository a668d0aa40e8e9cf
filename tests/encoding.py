"""Image files as bytes: encoded by Pillow, packed by hand, or changed in one place."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
"""First column and row, and steps, of the seven passes of an interlaced PNG."""


def encoded(image: np.ndarray | Image.Image, format: str, **options) -> bytes:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer := io.BytesIO(), format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def with_chunk(content: bytes, kind: bytes, data: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    start = content.index(b"IDAT") - 4
    return content[:start] + chunk(kind, data) + content[start:]


def png_of(width: int, height: int, depth: int, colour: int, packed: bytes, interlaced=0) -> bytes:
    """A PNG made by hand, of its compressed pixels."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG made by hand; `rows` are unfiltered, without the filter bytes."""
    stride = len(rows) // height if height else 0
    lines = [rows[stride * y : stride * (y + 1)] for y in range(height if rows else 0)]
    raw = b"".join(b"\0" + line for line in lines)
    return png_of(width, height, depth, colour, zlib.compress(raw))


def png16(values: np.ndarray) -> bytes:
    """The 16-bit PNG of uint16[height, width, 1 to 4]."""
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png(width, height, 16, colour, values.astype(">u2").tobytes())


def interlaced_png(values: np.ndarray) -> bytes:
    """The interlaced PNG of [height, width, 3], uint8 or uint16."""
    height, width, _ = values.shape
    depth = 8 * values.itemsize
    rows = [
        b"\0" + row.astype(f">u{values.itemsize}").tobytes()
        for left, top, right, down in ADAM7
        for row in values[top::down, left::right]
    ]
    return png_of(width, height, depth, 2, zlib.compress(b"".join(rows)), interlaced=1)


def with_orientation(image: np.ndarray, orientation: int, format: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, format, exif=exif)


def thumbnail_exif(thumbnail: bytes) -> bytes:
    """EXIF data that hold nothing but a thumbnail, itself a whole JPEG."""
    first = struct.pack(">HI", 0, 14)  # no entry, and where the next directory is
    size = len(thumbnail)
    entries = struct.pack(">HHHIIHHII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, size)
    return b"Exif\0\0MM\0*\0\0\0\x08" + first + entries + bytes(4) + thumbnail


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]


def without_adobe(content: bytes) -> bytes:
    """A JPEG without the marker of Adobe, which inverts inks."""
    start = content.index(b"\xff\xee")
    length = int.from_bytes(content[start + 2 : start + 4], "big")
    return content[:start] + content[start + 2 + length :]


def as_ycck(content: bytes) -> bytes:
    """A CMYK JPEG of Adobe's that says that its inks are stored as brightness and colour."""
    position = content.index(b"Adobe") + 11
    return content[:position] + b"\x02" + content[position + 1 :]


def with_size(content: bytes, height: int, width: int) -> bytes:
    """A JPEG whose header has another size."""
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]
