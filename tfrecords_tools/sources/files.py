"""Lists the files of an image folder: possible images, and a reason for every other file."""

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
"""Reason to reject a file in a folder such as .ipynb_checkpoints, which programs make."""
APPLE_DOUBLE_PREFIX = "._"
"""Start of the names of macOS metadata files, which have the suffix of the image."""


def list_files(images: Path) -> tuple[list[str], list[Rejection]]:
    """Returns paths below `images` of possible images, sorted, and rejections of other files.

    Raises:
        InputError: there is no such folder, or it is empty.
        OSError: a folder cannot be read.
    """
    if not images.is_dir():
        raise InputError(f"{images} is not a folder: give the folder that holds the images")
    found, rejections = [], []
    root = images.resolve()
    for file in _files(images):
        if reason := _why_rejected(images / file, file, root):
            rejections.append(Rejection(printable(file), *reason))
        else:
            found.append(file)
    if not found and not rejections:
        raise InputError(f"{images} is empty: give the folder that holds the images")
    return sorted(found), rejections


def has_image_suffix(file: str) -> bool:
    """Returns whether the name of a file has an image suffix."""
    path = PurePosixPath(file)
    return not path.name.startswith(APPLE_DOUBLE_PREFIX) and path.suffix.lower() in IMAGE_SUFFIXES


def without_suffix(file: str) -> str:
    """Returns a path or name without its last suffix."""
    return file.removesuffix(PurePosixPath(file).suffix)


def _files(images: Path) -> Iterator[str]:
    """Yields paths below `images` of all files, and of links to folders, which are not entered."""

    def fail(error: OSError) -> NoReturn:
        raise error

    for folder, folders, files in os.walk(images, onerror=fail):
        # os.walk does not enter a linked folder. It is listed, so that the report shows it.
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        below = Path(folder).relative_to(images).as_posix()
        for name in (*files, *links):
            yield name if below == "." else f"{below}/{name}"


def _why_rejected(path: Path, file: str, root: Path) -> tuple[str, str] | None:
    """Returns reason and detail if a file is rejected before it is opened."""
    try:
        file.encode("utf-8")
    except UnicodeEncodeError:
        return "name_not_utf8", "rename it: its name is not UTF-8"
    if any(folder.startswith(".") for folder in file.split("/")[:-1]):
        return HIDDEN_FOLDER, "it is in a hidden folder: move it if the data set needs it"
    if path.is_symlink():
        if not path.exists():
            return "dangling_link", f"it points to {printable(os.readlink(path))}"
        if not path.resolve().is_relative_to(root):
            return "outside_folder", "the link leaves the image folder"
    if not path.is_file():
        return "not_a_file", "a link to a folder, or a device"
    if path.name.startswith(APPLE_DOUBLE_PREFIX):
        return "not_an_image", "macOS metadata (AppleDouble)"
    if not has_image_suffix(file):
        return "not_an_image", f"suffix {path.suffix!r} is not that of an image"
    return None
