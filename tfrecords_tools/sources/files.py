"""The files of an image folder: those that may be images, and a reason for every other one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.listing import Rejection
from tfrecords_tools.text import printable

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".jp2")
)
HIDDEN_FOLDER = "hidden_folder"
"""Why a file is not taken that lies in a folder such as .ipynb_checkpoints: programs make these."""
APPLE_DOUBLE = "._"
"""What names of macOS metadata files begin with; their suffix is that of the image."""


def walk(images: Path) -> tuple[list[str], list[Rejection]]:
    """Paths below `images` of files that may be images, sorted, and rejections of all others.

    Raises:
        InputError: no such folder, or nothing in it.
        OSError: a folder cannot be read.
    """
    if not images.is_dir():
        raise InputError(f"{images} is not a folder: give the folder that holds the images")
    found, rejections = [], []
    root = images.resolve()
    for file in _files(images):
        if reason := _unfit(images / file, file, root):
            rejections.append(Rejection(printable(file), *reason))
        else:
            found.append(file)
    if not found and not rejections:
        raise InputError(f"{images} is empty: give the folder that holds the images")
    return sorted(found), rejections


def has_image_suffix(file: str) -> bool:
    """Whether a file is meant as an image, by its name."""
    name = file.rpartition("/")[2]
    return not name.startswith(APPLE_DOUBLE) and _suffix(name) in IMAGE_SUFFIXES


def without_suffix(file: str) -> str:
    """A path or name without the last suffix."""
    return file.removesuffix(PurePosixPath(file).suffix)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _files(images: Path) -> Iterator[str]:
    """Paths below `images` of all files, and of links to folders, which are not entered."""

    def fail(error: OSError) -> NoReturn:
        raise error

    for folder, folders, files in os.walk(images, onerror=fail):
        # A linked folder is not entered by os.walk: name it, so that it is not lost in silence.
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        below = Path(folder).relative_to(images).as_posix()
        for name in (*files, *links):
            yield name if below == "." else f"{below}/{name}"


def _unfit(path: Path, file: str, root: Path) -> tuple[str, str] | None:
    """Reason and detail why a file is not even opened."""
    try:
        file.encode("utf-8")
    except UnicodeEncodeError:
        return "name_not_utf8", "rename it: its name is not UTF-8"
    if any(folder.startswith(".") for folder in file.split("/")[:-1]):
        return HIDDEN_FOLDER, "it lies in a hidden folder: move it if it is meant"
    if path.is_symlink():
        if not path.exists():
            return "dangling_link", f"it points to {printable(os.readlink(path))}"
        if not path.resolve().is_relative_to(root):
            return "outside_folder", "the link leaves the image folder"
    if not path.is_file():
        return "not_a_file", "a link to a folder, or a device"
    if path.name.startswith(APPLE_DOUBLE):
        return "not_an_image", "macOS metadata (AppleDouble)"
    if not has_image_suffix(file):
        return "not_an_image", f"suffix {path.suffix!r} is none of an image"
    return None
