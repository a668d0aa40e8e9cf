"""Tells the kind of an image file by its first bytes; the name of a file says nothing sure."""

from __future__ import annotations

import re

JPEG, PNG, WEBP, BMP, TIFF, GIF, PPM, JPEG2000 = (
    *("JPEG", "PNG", "WEBP", "BMP"),
    *("TIFF", "GIF", "PPM", "JPEG2000"),
)
HEIC, AVIF, DICOM = "HEIC", "AVIF", "DICOM"
RECORD_KINDS = (JPEG, PNG)
"""Kinds that a record may hold."""
HEAD_BYTES = 132
"""First bytes of a file that suffice for `kind_of`."""
_SIGNATURES = {
    b"\xff\xd8\xff": JPEG,
    b"\x89PNG\r\n\x1a\n": PNG,
    b"GIF87a": GIF,
    b"GIF89a": GIF,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TIFF),
    b"\xff\x4f\xff\x51": JPEG2000,
    b"\0\0\0\x0cjP  \r\n\x87\n": JPEG2000,
}
_BMP = re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)
"""A BMP: the size of its second header has few values. Two letters alone may begin a text."""
_PPM = re.compile(rb"P(?:[1-6]\s+(?:#|[0-9])|f\s)")
"""A PPM: a width or a comment follows the two letters."""
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_AVIF_BRANDS = (b"avif", b"avis")
_ANY_BRANDS = (b"mif1", b"msf1")
"""Brands of files that hold images of either kind; the other brands of the file say which."""


def kind_of(head: bytes) -> str | None:
    """Returns the kind of the image file that begins with these bytes; None if it is no image.

    `head` are at least the first `HEAD_BYTES` bytes, or the whole of a shorter file.
    """
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if _BMP.match(head) or _PPM.match(head):
        return BMP if head.startswith(b"B") else PPM
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    return DICOM if head[128:132] == b"DICM" else None


def _by_brand(head: bytes) -> str | None:
    """Reads the brands of an ISO media file: the main one, and at 16 those that also fit."""
    end = min(int.from_bytes(head[:4]), HEAD_BYTES)
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, end, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return AVIF
    is_heic = any(brand in _HEIC_BRANDS for brand in brands) or brands[0] in _ANY_BRANDS
    return HEIC if is_heic else None
