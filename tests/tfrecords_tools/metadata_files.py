"""Image files with metadata: names, places, serial numbers, and marks of synthetic images."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import ExifTags, Image

from tests.encoding import chunk, encoded

NAME = "Patient Example Name"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def exif(**tags) -> Image.Exif:
    """EXIF data with a name and a place, or other `tags` of the main directory."""
    found = Image.Exif()
    if tags:
        for name, value in tags.items():
            found[ExifTags.Base[name]] = value
        return found
    found[ExifTags.Base.ImageDescription] = NAME
    gps = found.get_ifd(ExifTags.IFD.GPSInfo)
    gps[1], gps[2] = "N", (52.0, 30.0, 1.0)
    found.get_ifd(ExifTags.IFD.Exif)[0xA431] = "SN 12345"
    return found


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def iptc(**sets: str) -> bytes:
    """A segment of Photoshop with IPTC data sets, such as s80=the byline."""
    data = b"".join(
        b"\x1c\x02" + bytes([int(number[1:])]) + struct.pack(">H", len(text)) + text.encode()
        for number, text in sets.items()
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data
    return segment(0xED, b"Photoshop 3.0\0" + resource)


def xmp(body: str) -> bytes:
    return f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{body}</x:xmpmeta>".encode()


def xmp_of_source(kind: str) -> bytes:
    """A packet of XMP with IPTC's type of digital source."""
    return xmp(
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}{kind}</Iptc4xmpExt:DigitalSourceType>"
    )


def with_segments(content: bytes, *segments: bytes) -> bytes:
    """A JPEG with further segments behind its first marker."""
    return content[:2] + b"".join(segments) + content[2:]


def with_chunks(content: bytes, **chunks: bytes) -> bytes:
    """A PNG with further chunks behind its head."""
    made = b"".join(chunk(name.encode(), data) for name, data in chunks.items())
    return content[:33] + made + content[33:]


def named_jpeg(image: np.ndarray, **options) -> bytes:
    """A JPEG that names a patient in every place there is."""
    name = NAME.encode()
    content = encoded(image, "JPEG", exif=exif(), icc_profile=b"a profile" * 99, **options)
    return with_segments(
        content,
        segment(0xE1, XMP + xmp(f"<dc:creator>{NAME}</dc:creator>")),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + name),
        iptc(s80=NAME),
        segment(0xFE, name),
        segment(0xE0, b"JFXX\0\x10" + name),
        segment(0xE2, b"MPF\0" + name),
        segment(0xEC, b"Ducky" + name),
        segment(0xEF, name),
    ) + encoded(image, "JPEG", comment=name)


def named_png(image: np.ndarray, **options) -> bytes:
    """A PNG that names a patient in every place there is."""
    name = NAME.encode()
    content = encoded(image, "PNG", exif=exif(), icc_profile=b"a profile" * 99, **options)
    return (
        with_chunks(
            content,
            tEXt=b"Author\0" + name,
            zTXt=b"Comment\0\0" + zlib.compress(name),
            iTXt=b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(f"<dc:title>{NAME}</dc:title>"),
            tIME=bytes(7),
            prVt=name,
        )
        + name
    )
