"""What the metadata of an image file say: orientation, people and places, and synthetic origin.

Sources: EXIF 3.0 (CIPA DC-008), IPTC-IIM 4.2, XMP (ISO 16684-1), the IPTC vocabulary of digital
source types, C2PA 2.1.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import ExifTags, Image

from tfrecords_tools.images import jpeg_file, kinds, png_file
from tfrecords_tools.images.jpeg_file import JpegFile
from tfrecords_tools.images.png_file import PngFile
from tfrecords_tools.images.synthetic_mark import SYNTHETIC_CHUNK, SYNTHETIC_XMP

NAME, PLACE, SERIAL_NUMBER = IDENTIFYING = ("name_or_text", "place", "serial_number")
"""What identifies people: a name, or free text that may hold one; a place; a device."""
_SYNTHETIC = re.compile(rb"algorithmicmedia", re.IGNORECASE)
"""In IPTC's types of digital sources: trainedAlgorithmicMedia, algorithmicMedia, and
compositeWithTrainedAlgorithmicMedia. All say that pixels are not from a camera."""
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(="|>)([0-9])')
_EXIF_TAGS: Mapping[str, frozenset[int]] = {
    # Title, description, artist, copyright, comment, the owner, and the texts of Windows.
    NAME: frozenset((0x010D, 0x010E, 0x013B, 0x8298, 0x9286, 0xA430, *range(0x9C9B, 0x9CA0))),
    # Body, lens, raw converter, unique number of the image, maker note.
    SERIAL_NUMBER: frozenset((0xA431, 0xA435, 0xC62F, 0xA420, 0x927C)),
}
_GPS_VERSION = 0
_XMP_NAMES: Mapping[str, re.Pattern[bytes]] = {
    NAME: re.compile(
        rb"dc:(creator|title|description|rights|subject|contributor)|PersonInImage|PersonDisplayName"
        rb"|mwg-rs:Name|photoshop:(CaptionWriter|Headline|Credit|Instructions)|UserComment|OwnerName"
    ),
    PLACE: re.compile(
        rb"exif:GPSL|photoshop:(City|State|Country)|Iptc4xmpCore:Location|LocationCreated"
    ),
    SERIAL_NUMBER: re.compile(rb"SerialNumber|ImageUniqueID"),
}
_IPTC_SETS: Mapping[str, frozenset[int]] = {
    NAME: frozenset((5, 25, 40, 80, 85, 105, 110, 115, 116, 118, 120, 122)),
    PLACE: frozenset((26, 27, 90, 92, 95, 100, 101)),
}
_IPTC_SET = re.compile(rb"\x1c\x02(.)(..)", re.DOTALL)
_PLAIN_KEYWORDS = frozenset(
    (
        b"Software",
        b"Creation Time",
        b"date:create",
        b"date:modify",
        b"date:timestamp",
        b"Disclaimer",
    )
)
"""Keywords of PNG texts that name no person."""
_RAW_PROFILES = (b"exif", b"APP1", b"xmp", b"iptc", b"8bim")
MAX_PROVENANCE = 2**16
"""Most bytes of a text about provenance that are read."""
_C2PA_CHUNK, _C2PA_SEGMENT = b"caBX", 0xEB


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The metadata of an image file, taken apart but not interpreted.

    Attributes:
        exif: its tags; empty if there are none, or if they cannot be read.
        xmp: packets of XMP.
        iptc: records of IPTC-IIM, or Photoshop's resources around them.
        texts: comments, and texts of a PNG that may hold a name.
        claims: C2PA's claims about the origin.
        provenance: texts of a PNG by which skin_synth says how it made the image, by keyword.
        elements: which of `IDENTIFYING` a file holds that is not described by the fields above.
    """

    exif: Image.Exif = dataclasses.field(default_factory=Image.Exif)
    xmp: bytes = b""
    iptc: bytes = b""
    texts: tuple[bytes, ...] = ()
    claims: bytes = b""
    provenance: Mapping[str, str] = dataclasses.field(default_factory=dict)
    elements: frozenset[str] = frozenset()

    @property
    def orientation(self) -> int:
        """EXIF's number, or else that of XMP; 1 is upright."""
        if (found := self.exif.get(ExifTags.Base.Orientation)) is not None:
            return found
        match = _XMP_ORIENTATION.search(self.xmp)
        return int(match[2]) if match else 1

    @property
    def says_synthetic(self) -> bool:
        """Whether they say that a program made the image, not a camera."""
        # Without the zero bytes of UTF-16.
        said = b"\n".join((self.xmp, self.iptc, self.claims)).replace(b"\0", b"")
        return bool(self.provenance) or _SYNTHETIC.search(said) is not None

    @property
    def identifying(self) -> frozenset[str]:
        """Which of `IDENTIFYING` they hold."""
        found = {what for what, pattern in _XMP_NAMES.items() if pattern.search(self.xmp)}
        found |= _identifying_tags(self.exif)
        numbers = {match[1][0] for match in _IPTC_SET.finditer(self.iptc) if any(match[2])}
        found |= {what for what, sets in _IPTC_SETS.items() if sets & numbers}
        if any(map(_says_something, self.texts)):
            found.add(NAME)
        return frozenset(found) | self.elements


@dataclasses.dataclass(frozen=True)
class BareFile:
    """A file without its metadata.

    Attributes:
        bare: what a record may hold of it.
        drawn: what a decoder gets of it.
        metadata: None if they are known only after the file was opened.
        profile: the colour profile of a PNG.
    """

    bare: bytes
    drawn: bytes
    metadata: Metadata | None
    profile: bytes | None = None


def take_apart(content: bytes) -> BareFile:
    """Separates the image of a file from its metadata.

    Raises:
        Rejected: a JPEG or PNG is not whole, or has too many parts.
    """
    kind = kinds.kind_of(content[: kinds.HEAD_BYTES])
    if kind == kinds.JPEG:
        jpeg = jpeg_file.take_apart(content)
        return BareFile(jpeg.pixels, jpeg.pixels, of_jpeg(jpeg))
    if kind == kinds.PNG:
        png = png_file.take_apart(content)
        return BareFile(png.pixels, png.drawn, of_png(png), png.profile)
    return BareFile(content, content, None)


def of_jpeg(file: JpegFile) -> Metadata:
    """Reads the metadata that a JPEG holds besides its image."""
    texts: list[bytes] = []
    exif: list[bytes] = []
    xmp: list[bytes] = []
    iptc: list[bytes] = []
    claims: list[bytes] = []
    for segment in file.dropped:
        payload = segment.payload
        if segment.marker == jpeg_file.COMMENT:
            texts.append(payload)
        elif payload.startswith(jpeg_file.EXIF):
            exif.append(payload[len(jpeg_file.EXIF) :])  # long ones have several segments
        elif payload.startswith(jpeg_file.XMP):
            xmp.append(payload[len(jpeg_file.XMP) :])
        elif payload.startswith(jpeg_file.MORE_XMP):
            xmp.append(payload[jpeg_file.MORE_XMP_HEAD :])
        elif payload.startswith(jpeg_file.PHOTOSHOP):
            iptc.append(payload)
        elif segment.marker == _C2PA_SEGMENT:
            claims.append(payload)
    return Metadata(
        _parsed(b"".join(exif)), b"".join(xmp), b"".join(iptc), tuple(texts), b"".join(claims)
    )


def of_png(file: PngFile) -> Metadata:
    """Reads the metadata that a PNG holds besides its image."""
    profiles: dict[bytes, bytes] = {}
    comments, provenance = [], {}
    for chunk in file.texts:
        keyword = png_file.keyword_of(chunk)
        profile = keyword.removeprefix(png_file.RAW_PROFILE)
        if keyword.startswith(png_file.KEPT_KEYWORDS):
            text = png_file.text_of(chunk)[:MAX_PROVENANCE].decode("utf-8", "replace")
            provenance[keyword.decode("latin-1")] = text
        elif keyword in profiles or keyword in _PLAIN_KEYWORDS:
            continue  # only the first of each is read, so that many take little memory
        elif keyword == png_file.XMP_KEYWORD:
            profiles[keyword] = png_file.text_of(chunk)
        elif profile != keyword:
            profiles[keyword] = png_file.raw_profile(png_file.text_of(chunk))
        else:
            comments.append(bytes(chunk.data[len(keyword) + 1 :]))
    found = {chunk.name: bytes(chunk.data) for chunk in reversed(file.dropped)}
    raw = {name: profiles.get(png_file.RAW_PROFILE + name, b"") for name in _RAW_PROFILES}
    return Metadata(
        _parsed(found.get(png_file.EXIF) or raw[b"exif"] or raw[b"APP1"]),
        profiles.get(png_file.XMP_KEYWORD, b"") + raw[b"xmp"],
        raw[b"iptc"] + raw[b"8bim"],
        () if provenance else tuple(comments),
        found.get(_C2PA_CHUNK, b""),
        provenance,
    )


def of_image(image: Image.Image) -> Metadata:
    """Reads the metadata that Pillow found in a file of another kind."""
    xmp, comment = image.info.get("xmp"), image.info.get("comment")
    try:
        exif = image.getexif()
    except Exception:  # damaged tags raise errors of many types
        exif = Image.Exif()
    elements: frozenset[str] = getattr(image, "identifying", frozenset())
    elements |= _identifying_tags(exif)  # now, because some are read when they are needed
    return Metadata(exif, _bytes(xmp), b"", (_bytes(comment),), elements=elements)


def marked_synthetic(encoded: bytes) -> bytes:
    """Returns a PNG or JPEG with IPTC's mark of a synthetic image, unless it says so already.

    Raises:
        Rejected: its parts are not whole.
    """
    if kinds.kind_of(encoded) == kinds.PNG:
        if of_png(png_file.take_apart(encoded)).says_synthetic:
            return encoded
        return png_file.with_chunk(encoded, SYNTHETIC_CHUNK)
    if of_jpeg(jpeg_file.take_apart(encoded)).says_synthetic:
        return encoded
    return jpeg_file.with_segment(encoded, 0xE1, jpeg_file.XMP + SYNTHETIC_XMP)


def _parsed(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    try:
        tags.load(exif)
        dict(tags)
    except Exception:  # damaged tags raise errors of many types
        return Image.Exif()
    return tags


def _identifying_tags(exif: Image.Exif) -> set[str]:
    found: set[str] = set()
    try:
        own = dict(exif)
        tags = own | exif.get_ifd(ExifTags.IFD.Exif)
        places = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # damaged tags raise errors of many types
        return found
    if any(_says_something(value) for tag, value in places.items() if tag != _GPS_VERSION):
        found.add(PLACE)
    for what, wanted in _EXIF_TAGS.items():
        if any(_says_something(tags[tag]) for tag in wanted & tags.keys()):
            found.add(what)
    return found


def _says_something(value: Any) -> bool:
    """Returns whether a value of a tag, or a text, is not blank."""
    if isinstance(value, bytes):
        return bool(value.removeprefix(b"ASCII").strip(b"\0 \t\r\n"))
    if isinstance(value, str):
        return bool(value.strip("\0 \t\r\n"))
    return not isinstance(value, Iterable) or any(map(_says_something, value))


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else value or b""
