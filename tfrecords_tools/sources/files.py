"""Lists the files of an image folder: possible images, and a reason for every other file."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NoReturn

from tfrecords_tools.errors import InputError
from tfrecords_tools.images.kinds import HEAD_BYTES, kind_of
from tfrecords_tools.paths import real_path
from tfrecords_tools.sources.listing import Finding, Rejection
from tfrecords_tools.text import abbreviate, printable

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".png", ".apng", ".webp"),
        *(".bmp", ".dib", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k"),
        *(".jpx", ".heic", ".heif", ".hif", ".avif", ".jxl", ".dcm", ".dicom"),
    )
)
"""A file with such a name counts as an image, whatever it holds. Others are looked into."""
RAW_SUFFIXES = frozenset(
    (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw")
)
"""Raw files of cameras. Image libraries read only the small preview in them."""
NOT_AN_IMAGE = "not_an_image"
HIDDEN_FOLDER, MACHINE_MADE = "hidden_folder", "machine_made"
"""Reasons to reject files that nobody wants: in a folder such as .ipynb_checkpoints, and what
systems and disks write next to the images of people."""
LINK_REASONS = ("dangling_link", "outside_folder", "not_a_file")
MACHINE_FOLDERS = re.compile(
    r"@eadir|@syno.*|@tmp|@recycle|@recently-snapshot|#recycle|#snapshot|\$recycle\.bin|recycler|"
    r"system volume information|__macosx|lost\+found|network trash folder|temporary items|"
    r"__pycache__|.+\.lrdata",
    re.IGNORECASE,
)
"""Folders of thumbnails, bins, snapshots and metadata, of Synology, QNAP, Windows and macOS."""
MACHINE_FILES = re.compile(
    r"\.trashed-.*|\.pending-.*|synophoto_.*|synofile_.*|.*(?:~|\.bak|\.orig|\.old|\.\w+_original)",
    re.IGNORECASE,
)
"""Deleted files of Android, thumbnails of a NAS, and backups that editors keep."""
IN_ICLOUD = re.compile(r"\.(?P<name>.+)\.icloud", re.IGNORECASE)
"""Placeholder of a file that macOS keeps in iCloud only."""
APPLE_DOUBLE_PREFIX = "._"
"""Start of the names of macOS metadata files, which have the suffix of the image."""


@dataclasses.dataclass(frozen=True)
class FileList:
    """The files of an image folder.

    Attributes:
        found: paths below the folder of possible images, sorted.
        rejections: of all other files.
        unfollowed: links to folders, and to nothing, that may hide more images.
        findings: what a person should know about the files.
    """

    found: list[str]
    rejections: list[Rejection]
    unfollowed: list[str]
    findings: tuple[Finding, ...] = ()

    def check_links(self, images: Path, levels: int | None = None) -> None:
        """Checks that no images are hidden behind a link that was not followed.

        Below the first `levels` of folders, which have a meaning, a link to another folder of
        `images` hides nothing, because its files are listed there.

        Raises:
            InputError: there is such a link.
        """
        root = real_path(images)
        hiding = [
            link
            for link in self.unfollowed
            if levels is None
            or link.count("/") < levels
            or not (images / link).is_dir()
            or not real_path(images / link).is_relative_to(root)
        ]
        if not hiding:
            return
        lost = [link for link in hiding if not (images / link).exists()]
        if lost:
            raise InputError(
                f"{images} has links that lead nowhere: {abbreviate(lost)}. A class or a split may "
                "be missing: mount or fetch what they point to, or remove them"
            )
        raise InputError(
            f"{images} has links to folders: {abbreviate(hiding)}. A class or a split may "
            "be behind them: give --follow_links to take what is there, or remove them"
        )


def list_files(images: Path, *, follow_links: bool = False) -> FileList:
    """Lists the files below `images`; `follow_links` enters linked folders, also outside of it.

    Raises:
        InputError: there is no such folder, it is empty, or a link leads back to its own folder.
        OSError: a folder cannot be read.
    """
    if not images.is_dir():
        raise InputError(f"{images} is not a folder: give the folder that holds the images")
    found, rejections, unfollowed = [], [], []
    outside: set[str] = set()
    root = real_path(images)
    for file in _files(images, outside, follow_links=follow_links):
        path = images / file
        if follow_links and path.is_symlink() and not real_path(path).is_relative_to(root):
            outside.add(file)
        if rejection := _why_rejected(path, file, root, follow_links=follow_links):
            rejections.append(rejection)
            if rejection.reason in LINK_REASONS and _may_hide_images(path):
                unfollowed.append(printable(file))
        else:
            found.append(file)
    if not found and not rejections:
        raise InputError(f"{images} is empty: give the folder that holds the images")
    developed = {without_suffix(file) for file in found}
    rejections = [
        dataclasses.replace(each, wanted=False)
        if _is_raw(each.file) and without_suffix(each.file) in developed
        else each
        for each in rejections
    ]
    return FileList(sorted(found), rejections, sorted(unfollowed), _outside(sorted(outside)))


def has_image_suffix(file: str) -> bool:
    """Returns whether the name of a file has an image suffix."""
    path = PurePosixPath(file)
    return not path.name.startswith(APPLE_DOUBLE_PREFIX) and path.suffix.lower() in IMAGE_SUFFIXES


def without_suffix(file: str) -> str:
    """Returns a path or name without its last suffix."""
    return file.removesuffix(PurePosixPath(file).suffix)


def _files(images: Path, outside: set[str], *, follow_links: bool) -> Iterator[str]:
    """Yields paths below `images` of all files, and of links to folders that are not entered.

    Linked folders that are entered and lie outside of `images` are added to `outside`.
    """

    def fail(error: OSError) -> NoReturn:
        raise error

    root = real_path(images)
    for folder, folders, files in os.walk(images, onerror=fail, followlinks=follow_links):
        below = Path(folder).relative_to(images).as_posix()
        names = list(files)
        for name in [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            file = name if below == "." else f"{below}/{name}"
            if not follow_links:
                names.append(name)  # so that the report shows it
                continue
            _check_loop(images, file)
            if not real_path(images / file).is_relative_to(root):
                outside.add(file)
        for name in names:
            yield name if below == "." else f"{below}/{name}"


def _check_loop(images: Path, link: str) -> None:
    """Checks that a linked folder does not hold one of the folders that lead to it."""
    target = real_path(images / link)
    for above in (images / link).relative_to(images).parents:
        if real_path(images / above).is_relative_to(target):
            raise InputError(
                f"the link {printable(link)} in {images} leads back to a folder that holds it, so "
                "that its files would come again without end: remove the link"
            )


def _may_hide_images(path: Path) -> bool:
    """Returns whether this is a link to a folder, or to nothing and has no suffix of a file."""
    if not path.is_symlink() or path.name.startswith("."):
        return False
    return path.is_dir() or (not path.exists() and not path.suffix)


def _why_rejected(path: Path, file: str, root: Path, *, follow_links: bool) -> Rejection | None:
    """Returns the rejection of a file that is no image of the data set."""

    def rejected(reason: str, detail: str, *, wanted: bool = has_image_suffix(file)) -> Rejection:
        return Rejection(printable(file), reason, detail, wanted)

    *folders, name = file.split("/")
    if any(folder.startswith(".") for folder in folders):
        detail = "it is in a hidden folder: move it if the data set needs it"
        return rejected(HIDDEN_FOLDER, detail, wanted=False)
    if machine := next(filter(MACHINE_FOLDERS.fullmatch, folders), None):
        detail = f"systems and disks write the folder {printable(machine)}"
        return rejected(MACHINE_MADE, detail, wanted=False)
    if MACHINE_FILES.fullmatch(name) or MACHINE_FOLDERS.fullmatch(name):
        return rejected(MACHINE_MADE, "programs write files of this name", wanted=False)
    try:
        file.encode("utf-8")
    except UnicodeEncodeError:
        return rejected("name_not_utf8", "rename it: its name is not UTF-8")
    if path.is_symlink():
        if not path.exists():
            return rejected("dangling_link", f"it points to {printable(os.readlink(path))}")
        if not follow_links and not real_path(path).is_relative_to(root):
            return rejected(
                "outside_folder", "the link leaves the image folder: --follow_links follows it"
            )
    if not path.is_file():
        return rejected("not_a_file", "a link to a folder, or a device")
    if name.startswith(APPLE_DOUBLE_PREFIX):
        return rejected(NOT_AN_IMAGE, "macOS metadata (AppleDouble)")
    if (away := IN_ICLOUD.fullmatch(name)) and has_image_suffix(away["name"]):
        detail = "a placeholder of iCloud: download the file to this computer"
        return rejected(NOT_AN_IMAGE, detail, wanted=True)
    if _is_raw(file):
        detail = "a raw file of a camera: develop it, and save it as JPEG or TIFF"
        return rejected(NOT_AN_IMAGE, detail, wanted=True)
    if not has_image_suffix(file) and kind_of(_head(path)) is None:
        detail = f"suffix {path.suffix!r} and the first bytes are not those of an image"
        return rejected(NOT_AN_IMAGE, detail)
    return None


def _is_raw(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in RAW_SUFFIXES


def _head(path: Path) -> bytes:
    """Returns the first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _outside(links: Sequence[str]) -> tuple[Finding, ...]:
    if not links:
        return ()
    text = f"{len(links):,} links lead out of the image folder and were followed: "
    return (Finding("links_followed", text + abbreviate([printable(link) for link in links])),)
