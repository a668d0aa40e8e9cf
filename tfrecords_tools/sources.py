"""Where labels come from: class folders, or a CSV beside a folder of images.

Both give one `ImageRecord` for each image that is to be read and one `Rejection` for every other
file met, so that nothing is passed over in silence.
"""

from __future__ import annotations

import csv
import dataclasses
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from tfrecords_tools.errors import InputError

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".jp2")
)
NAMED_IN_MESSAGES = 5


@dataclasses.dataclass(frozen=True)
class ImageRecord:
    """An image that is to be read.

    Attributes:
        path: the file.
        file: its path below the image folder, with forward slashes.
        image_id: its name in the data set.
        label: name of its class.
        group: its lesion or patient; the image's own id where none is known.
    """

    path: Path
    file: str
    image_id: str
    label: str
    group: str


@dataclasses.dataclass(frozen=True)
class Rejection:
    r"""A file that is not in the data set.

    Attributes:
        file: its path below the image folder, undecodable bytes as `\xNN`.
        reason: a slug, such as truncated or duplicate.
        detail: what a person needs to mend it.
    """

    file: str
    reason: str
    detail: str


@dataclasses.dataclass(frozen=True)
class Source:
    """All that a folder (and CSV) holds.

    Attributes:
        records: images to read, sorted by `image_id`.
        rejections: all other files met.
    """

    records: tuple[ImageRecord, ...]
    rejections: tuple[Rejection, ...]


def from_class_folders(images: Path) -> Source:
    """Takes the first folder below `images` as the label; folders may nest below it.

    Raises:
        InputError: no such folder, no image in it, or two folders whose names are one label.
    """
    found, rejections = _walk(images)
    records = []
    raw_labels: dict[str, set[str]] = defaultdict(set)
    for file, path in found.items():
        raw_label, slash, _ = file.partition("/")
        if not slash:
            rejections.append(Rejection(file, "label_missing", "it lies in no class folder"))
            continue
        label = normalise(raw_label)
        if not label:
            rejections.append(Rejection(file, "label_missing", "its class folder has a blank name"))
            continue
        raw_labels[label].add(raw_label)
        records.append(ImageRecord(path, file, file, label, file))
    _check_collisions(raw_labels)
    return _source(images, records, rejections)


def from_csv(
    images: Path, labels: Path, *, id_column: str, label_column: str, group_column: str | None
) -> Source:
    """Takes id, label and group of each image from a CSV; the images lie anywhere in `images`.

    An id names a file by its path below `images` or by its name, with or without the suffix.

    Raises:
        InputError: no such file or folder, a missing column, a row without a file or with a file
            that several images could be, two rows of one image that differ, or two names that
            are one label.
    """
    found, rejections = _walk(images)
    rows = _read_rows(labels, id_column, label_column, group_column)
    _check_rows(rows, labels)
    rows = list(dict.fromkeys(rows))
    files = _match(rows, found, [rejection.file for rejection in rejections], labels)
    records = []
    for image_id, raw_label, group in rows:
        file, label = files[image_id], normalise(raw_label)
        if file not in found:
            continue  # it was rejected above, for a reason of its own
        if not label:
            rejections.append(Rejection(file, "label_missing", f"{label_column} is empty"))
        else:
            records.append(ImageRecord(found[file], file, image_id, label, group or image_id))
    for file in found.keys() - set(files.values()):
        rejections.append(Rejection(file, "label_missing", f"no row of {labels.name} names it"))
    return _source(images, records, rejections)


def normalise(name: str) -> str:
    """A label as the data set holds it: stripped, in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def printable(name: str) -> str:
    r"""A file name in UTF-8, undecodable bytes as `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _source(images: Path, records: list[ImageRecord], rejections: list[Rejection]) -> Source:
    if not records:
        why = _few([f"{rejection.file}: {rejection.reason}" for rejection in rejections])
        raise InputError(
            f"{images} holds no labelled image ({why}): expected class folders of images, or a "
            "folder of images with --labels"
        )
    for record in records:
        if len(record.label.splitlines()) > 1:
            raise InputError(f"label {record.label!r} has a line break: rename the class")
    return Source(
        tuple(sorted(records, key=lambda record: record.image_id)),
        tuple(sorted(rejections, key=lambda rejection: rejection.file)),
    )


def _walk(images: Path) -> tuple[dict[str, Path], list[Rejection]]:
    """Files that may be images, by path below `images`, and those that may not."""
    if not images.is_dir():
        raise InputError(f"{images} is not a folder: give the folder that holds the images")
    found, rejections = {}, []
    root = images.resolve()
    for path in _files(images):
        file = path.relative_to(images).as_posix()
        if reason := _unfit(path, file, root):
            rejections.append(Rejection(printable(file), *reason))
        else:
            found[file] = path
    if not found and not rejections:
        raise InputError(f"{images} is empty: give the folder that holds the images")
    return found, rejections


def _files(images: Path) -> Iterator[Path]:
    def fail(error: OSError) -> NoReturn:
        raise error

    for folder, folders, files in os.walk(images, onerror=fail):
        folders.sort()
        # A linked folder is not entered by os.walk: name it, so that it is not lost in silence.
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(folder, name)


def _unfit(path: Path, file: str, root: Path) -> tuple[str, str] | None:
    """Reason and detail why a file is not even opened."""
    try:
        file.encode("utf-8")
    except UnicodeEncodeError:
        return "name_not_utf8", "rename it: its name is not UTF-8"
    if path.is_symlink():
        if not path.exists():
            return "dangling_link", f"it points to {printable(os.readlink(path))}"
        if not path.resolve().is_relative_to(root):
            return "outside_folder", "the link leaves the image folder"
    if not path.is_file():
        return "not_a_file", "a link to a folder, or a device"
    if path.name.startswith("._"):
        return "not_an_image", "macOS metadata (AppleDouble)"
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return "not_an_image", f"suffix {path.suffix!r} is none of an image"
    return None


def has_image_suffix(rejection: Rejection) -> bool:
    """Whether the file was meant as an image: such count towards the share of rejects."""
    name = rejection.file.rpartition("/")[2]
    return not name.startswith("._") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _read_rows(
    labels: Path, id_column: str, label_column: str, group_column: str | None
) -> list[tuple[str, str, str]]:
    """Id, raw label and group of each row."""
    if not labels.is_file():
        raise InputError(f"{labels} is not a file: give the CSV that holds the labels")
    try:
        with labels.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            for column in filter(None, (id_column, label_column, group_column)):
                if column not in columns:
                    raise InputError(
                        f"{labels} has no column {column!r}; it has {', '.join(columns) or 'none'}"
                    )
            return [
                (
                    (row[id_column] or "").strip(),
                    row[label_column] or "",
                    (row[group_column] or "").strip() if group_column else "",
                )
                for row in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{labels} cannot be read as a UTF-8 CSV: {error}") from error


def _check_rows(rows: list[tuple[str, str, str]], labels: Path) -> None:
    raw_labels: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, tuple[str, str]] = {}
    for image_id, label, group in rows:
        if normalise(label):
            raw_labels[normalise(label)].add(label)
        if not image_id:
            raise InputError(f"{labels} has a row without an id: fill it in or drop the row")
        if seen.setdefault(image_id, (label, group)) != (label, group):
            raise InputError(
                f"{labels} has two rows of {image_id!r} that differ: "
                f"{seen[image_id]} and {(label, group)}"
            )
    _check_collisions(raw_labels)


def _check_collisions(raw_labels: Mapping[str, set[str]]) -> None:
    for label, raw in raw_labels.items():
        if len(raw) > 1:
            raise InputError(
                f"the names {sorted(raw)} are all label {label!r} once stripped and normalised: "
                "rename all but one"
            )


def _match(
    rows: list[tuple[str, str, str]], images: Iterable[str], others: Iterable[str], labels: Path
) -> dict[str, str]:
    """The file of each row's id; one that is no image only where no image fits."""
    # Others come second, so that a sidecar such as x.json beside x.jpg does not compete.
    by_image, by_other = _by_name(images), _by_name(others)
    missing = [row[0] for row in rows if row[0] not in by_image and row[0] not in by_other]
    if missing:
        raise InputError(
            f"{len(missing)} rows of {labels} name no file in the image folder: "
            f"{_few(missing)}: add the files or drop the rows"
        )
    id_of: dict[str, str] = {}
    for image_id, _, _ in rows:
        fitting = by_image.get(image_id) or by_other[image_id]
        if len(fitting) > 1:
            raise InputError(
                f"id {image_id!r} of {labels} fits several files: {_few(sorted(fitting))}: give "
                "the path below the image folder as id"
            )
        (file,) = fitting
        if (other := id_of.setdefault(file, image_id)) != image_id:
            raise InputError(f"ids {other!r} and {image_id!r} of {labels} both name {file}")
    return {image_id: file for file, image_id in id_of.items()}


def _by_name(files: Iterable[str]) -> dict[str, set[str]]:
    """Files by all that an id may call them."""
    by_name: dict[str, set[str]] = defaultdict(set)
    for file in files:
        name = file.rpartition("/")[2]
        for key in (file, name):
            by_name[key].add(file)
            by_name[key.removesuffix(Path(key).suffix)].add(file)
    return dict(by_name)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_IN_MESSAGES} more" if len(names) > NAMED_IN_MESSAGES else ""
    return ", ".join(names[:NAMED_IN_MESSAGES]) + more
