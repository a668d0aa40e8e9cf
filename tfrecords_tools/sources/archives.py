"""Finds archives among the images: a class or a split that nobody unpacked would be lost."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from tfrecords_tools.sources.files import has_image_suffix, without_suffix
from tfrecords_tools.sources.listing import Finding
from tfrecords_tools.text import abbreviate, printable

ZIP = b"PK\x03\x04"
PACKED = (
    *(
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\0",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"\x28\xb5\x2f\xfd",
    ),
)
"""First bytes of gzip, bzip2, xz, 7z, RAR and Zstandard."""
TAR, TAR_AT = b"ustar", 257
END_OF_ZIP, END_BYTES = b"PK\x05\x06", 22 + 2**16
"""The record at the end of a ZIP, and the most bytes that it takes with its comment."""
LARGEST_LIST = 2**24
"""Most bytes of the list of files in a ZIP; longer ones are not looked into."""
DOCUMENT_PARTS = frozenset(("[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF"))
"""Files in ZIPs that are documents or programs; pictures in them are no data."""


def archive_findings(
    images: Path, files: Iterable[str], found: Collection[str]
) -> Iterator[Finding]:
    """Yields what a person should know about the archives below `images`.

    Args:
        images: the image folder.
        files: paths below it of files that are no images.
        found: paths of the possible images.
    """
    there, packed, unknown = frozenset(found), [], []
    for file in files:
        if not (kind := _kind(images / file)):
            continue
        members = _images_in(images / file) if kind == ZIP else None
        if members is None:
            unknown.append(printable(file))
        elif not all(_unpacked(file, member, there) for member in members):
            packed.append(printable(file))
    if packed:
        yield Finding(
            "archives",
            f"{abbreviate(packed)}: archives with images that are not in {images}. A class or a "
            "split may be missing: unpack them, or take them out of the folder",
            trap=True,
        )
    if unknown:
        yield Finding(
            "archives",
            f"archives are not read; unpack those that hold images: {abbreviate(unknown)}",
        )


def _kind(path: Path) -> bytes | None:
    """Returns the first bytes of a kind of archive; None for other files."""
    try:
        with path.open("rb") as file:
            head = file.read(TAR_AT + len(TAR))
    except OSError:
        return None
    if head[TAR_AT:] == TAR:
        return TAR
    return next((start for start in (ZIP, *PACKED) if head.startswith(start)), None)


def _images_in(path: Path) -> list[str] | None:
    """Lists the images in a ZIP by name; None if its list is too long or cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(-min(END_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
            end = file.read()
        size = int.from_bytes(end[end.rfind(END_OF_ZIP) :][12:16], "little")
        if END_OF_ZIP not in end or size > LARGEST_LIST:  # also those of more than 4 GiB
            return None
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return None
    if DOCUMENT_PARTS.intersection(names):
        return []
    return [name for name in names if has_image_suffix(name) and "__MACOSX/" not in name]


def _unpacked(archive: str, member: str, there: Collection[str]) -> bool:
    """Returns whether a file of an archive is next to it, or in a folder of its name."""
    place = PurePosixPath(archive).parent
    return (
        any(
            (folder / member).as_posix() in there
            for folder in (place, place / PurePosixPath(without_suffix(archive)).name)
        )
        or (place / member.partition("/")[2]).as_posix() in there
    )
