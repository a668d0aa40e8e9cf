"""The parts of a PNG file: its chunks, each with a checksum.

Source: Portable Network Graphics (PNG) Specification, third edition, W3C.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Sequence

from tfrecords_tools.errors import Rejected

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD, PIXELS, END = b"IHDR", b"IDAT", b"IEND"
PROFILE, EXIF = b"iCCP", b"eXIf"
TEXT, PACKED_TEXT, UNICODE_TEXT = TEXTS = (b"tEXt", b"zTXt", b"iTXt")
COLOUR_CHUNKS = frozenset(
    b"tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD hIST pHYs acTL fcTL fdAT".split()
)
"""Chunks that a decoder may ignore, and that say how the image looks."""
ANCILLARY = 0x20
"""Bit of the first letter of a chunk that a decoder may ignore."""
FRAME_BYTES = 12
"""Bytes of a chunk without its data: length, name and checksum."""
HEAD_END = len(SIGNATURE) + FRAME_BYTES + 13
"""Bytes of a PNG until the end of its head, whose data have 13 bytes in every PNG."""
MAX_CHUNKS = 1_000_000
MAX_KEYWORD = 79
MAX_UNPACKED = 2**24
"""Most bytes of a compressed text or profile that are unpacked; the rest is not looked at."""
PROVENANCE_PREFIX = "skin_synth:"
"""Start of the keywords of texts with which skin_synth marks its synthetic images."""
KEPT_KEYWORDS = PROVENANCE_PREFIX.encode()
XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_PROFILE = b"Raw profile type "
"""Start of the keywords under which ImageMagick stores EXIF, IPTC and XMP as hexadecimal text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """Name and data of a chunk, and its bytes in the file, as views of the file."""

    name: bytes
    data: memoryview
    whole: memoryview


@dataclasses.dataclass(frozen=True)
class PngFile:
    """A PNG taken apart; all its checksums are right.

    Attributes:
        pixels: the PNG without metadata: with its colour profile, without texts, EXIF, time,
            private chunks and all that follows its end.
        drawn: `pixels` without the colour profile, for a decoder that limits profiles.
        dropped: the chunks that are not in `pixels`.
        texts: all text chunks.
        profile: the colour profile, or None.
        is_bare: whether `pixels` is the whole file.
    """

    pixels: bytes
    drawn: bytes
    dropped: tuple[Chunk, ...]
    texts: tuple[Chunk, ...]
    profile: bytes | None
    is_bare: bool


def take_apart(content: bytes) -> PngFile:
    """Separates the image from the metadata; the texts with which skin_synth marks images stay.

    Raises:
        Rejected: a chunk or the end is missing, a checksum is wrong, or there are too many chunks.
    """
    kept: list[bytes | memoryview] = [SIGNATURE]
    drawn, dropped, texts, profile = list(kept), [], [], None
    for chunk in _chunks(content):
        needed = not chunk.name[0] & ANCILLARY or chunk.name in COLOUR_CHUNKS
        if chunk.name == PROFILE:
            profile = _unpacked(bytes(chunk.data).partition(b"\0")[2][1:])
        elif needed:
            drawn.append(chunk.whole)
        if chunk.name in TEXTS:
            texts.append(chunk)
            needed = keyword_of(chunk).startswith(KEPT_KEYWORDS)
        if needed:
            kept.append(chunk.whole)
        else:
            dropped.append(chunk)
    pixels = _joined(kept, content)
    parts = tuple(dropped), tuple(texts)
    return PngFile(pixels, _joined(drawn, pixels), *parts, profile, pixels is content)


def keyword_of(chunk: Chunk) -> bytes:
    """Returns the keyword of a text chunk, at most 79 bytes."""
    return bytes(chunk.data[: MAX_KEYWORD + 1]).partition(b"\0")[0]


def text_of(chunk: Chunk) -> bytes:
    """Returns the text of a text chunk; it is empty if it cannot be unpacked."""
    rest = bytes(chunk.data).partition(b"\0")[2]
    if chunk.name == TEXT:
        return rest
    if chunk.name == PACKED_TEXT:
        return _unpacked(rest[1:]) or b""
    is_packed, rest = rest[:1] == b"\1", rest[2:]
    text = rest.partition(b"\0")[2].partition(b"\0")[2]  # behind language and translated keyword
    return (_unpacked(text) or b"") if is_packed else text


def raw_profile(text: bytes) -> bytes:
    """Returns the bytes of a text of ImageMagick: a name, a length, hexadecimal digits."""
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


def chunk_of(name: bytes, data: bytes) -> bytes:
    """Returns a chunk as it is in a file."""
    checksum = zlib.crc32(name + data).to_bytes(4)
    return len(data).to_bytes(4) + name + data + checksum


def with_chunk(content: bytes, chunk: bytes) -> bytes:
    """Returns a PNG with one more chunk, behind its head."""
    return content[:HEAD_END] + chunk + content[HEAD_END:]


def _joined(parts: Sequence[bytes | memoryview], whole: bytes) -> bytes:
    """Joins parts of a file; returns the file itself, without a copy, if these are all of it."""
    return whole if sum(map(len, parts)) == len(whole) else b"".join(parts)


def _chunks(content: bytes) -> Sequence[Chunk]:
    chunks = []
    for chunk in _read_chunks(content):
        chunks.append(chunk)
        if len(chunks) > MAX_CHUNKS:
            raise Rejected("damaged", f"more than {MAX_CHUNKS:,} chunks: save it anew")
    return chunks


def _read_chunks(content: bytes) -> Iterator[Chunk]:
    """Yields all chunks, the last one being the end of the PNG."""
    view, position, has_pixels = memoryview(content), len(SIGNATURE), False
    while True:
        length = int.from_bytes(content[position : position + 4])
        name = content[position + 4 : position + 8]
        end = position + FRAME_BYTES + length
        if end > len(content):
            if not has_pixels and position >= len(content):
                raise Rejected("damaged", "it has no pixels")
            raise Rejected("truncated", "it ends within a chunk, or before its end")
        checksum = int.from_bytes(content[end - 4 : end])
        if zlib.crc32(view[position + 4 : end - 4]) != checksum:
            raise Rejected("damaged", f"the checksum of its chunk {name!r} is wrong")
        yield Chunk(name, view[position + 8 : end - 4], view[position:end])
        has_pixels |= name == PIXELS
        if name == END:
            return
        position = end


def _unpacked(packed: bytes) -> bytes | None:
    """Returns at most `MAX_UNPACKED` bytes; None if they cannot be unpacked."""
    try:
        return zlib.decompressobj().decompress(packed, MAX_UNPACKED)
    except zlib.error:
        return None
