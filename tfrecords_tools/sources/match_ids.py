"""Finds the file that the id of a table row names."""

from __future__ import annotations

import dataclasses
import filecmp
import itertools
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.files import (
    IMAGE_SUFFIXES,
    RAW_SUFFIXES,
    FileList,
    without_suffix,
)
from tfrecords_tools.text import abbreviate, composed, printable


@dataclasses.dataclass(frozen=True)
class Matches:
    """The files that a table names.

    Attributes:
        files: file of each id.
        copies: files that are equal to the file of an id, byte for byte, and that file.
    """

    files: Mapping[str, str]
    copies: Mapping[str, str]


def match_ids(ids: Iterable[str], listed: FileList, images: Path, labels: Path) -> Matches:
    """Finds the file of each id of a table; a file that is no image only if no image fits.

    Raises:
        InputError: no file or several files fit an id, two ids fit one file, or two files have
            the same name in composed form.
    """
    ids = list(ids)
    _check_names(listed.found)
    # Others come second, so that a sidecar such as x.json does not compete with x.jpg.
    by_image = _by_name(listed.found, set(ids))
    by_other = _by_name((rejection.file for rejection in listed.rejections), set(ids))
    if missing := [id_ for id_ in ids if id_ not in by_image and id_ not in by_other]:
        listed.check_links(images)
        taken = set(itertools.chain.from_iterable(by_image.values()))
        raise InputError(
            f"{len(missing)} rows of {labels} name no file in the image folder: "
            f"{abbreviate(missing)}: add the files or drop the rows"
            + _perhaps(missing, listed.found, taken)
        )
    files: dict[str, str] = {}
    copies: dict[str, str] = {}
    id_of: dict[str, str] = {}
    for id_ in ids:
        first, *others = sorted(_closest(id_, by_image.get(id_) or by_other[id_]))
        if id_ in by_image and others and not _are_equal(images, first, others):
            raise InputError(
                f"id {id_!r} of {labels} fits several files: {abbreviate([first, *others])}: give "
                "the path below the image folder as id"
            )
        files[id_] = first
        copies.update(dict.fromkeys(others if id_ in by_image else (), first))
        if (other := id_of.setdefault(first, id_)) != id_:
            raise InputError(f"ids {other!r} and {id_!r} of {labels} both name {first}")
    return Matches(files, copies)


def _perhaps(missing: Iterable[str], files: Sequence[str], taken: Collection[str]) -> str:
    """Returns a hint to a file whose name is an id up to folders, suffix, case and zeros.

    It never guesses: no other id and no other file may have this name, and the id that it proposes
    must fit this file alone.
    """
    files_of, ids_of = _by_core(files), _by_core(set(missing))
    for id_ in missing:
        candidates = files_of.get(_core(id_), [])
        if len(candidates) != 1 or len(ids_of[_core(id_)]) != 1:
            continue
        [file] = candidates
        stem = without_suffix(os.path.basename(file))
        if file not in taken and _by_name(files, {composed(stem)})[composed(stem)] == [file]:
            return f". {printable(id_)} may be {printable(file)}: then its id must be {stem}"
    return ""


def _by_core(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[_core(name)].append(name)
    return found


def _core(text: str) -> str:
    r"""Returns the part of an id or path that people keep: `a\IMG_007.PNG` is `img_7`."""
    name = re.split(r"[/\\]", composed(text).strip())[-1]
    # A point may also be part of a number: 12.5 is not 12, and 12.05 is not 12.5.
    if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES | RAW_SUFFIXES:
        name = without_suffix(name)
    return re.sub(r"(?<!\d)(?<!\d\.)0+(?=\d)", "", name.casefold())


def _are_equal(images: Path, first: str, others: Sequence[str]) -> bool:
    try:
        return (images / first).stat().st_size > 0 and all(
            filecmp.cmp(images / first, images / file, shallow=False) for file in others
        )
    except OSError:
        return False


def _closest(id_: str, files: Sequence[str]) -> Sequence[str]:
    """Returns the files that fit an id best: by the whole path, then by the path without suffix."""
    paths = {file: composed(file) for file in files}
    whole = tuple(file for file, path in paths.items() if path == id_)
    bare = tuple(file for file, path in paths.items() if without_suffix(path) == id_)
    return whole or bare or files


def _check_names(files: Iterable[str]) -> None:
    """Checks that no two files differ only in the Unicode form of their names."""
    known: dict[str, str] = {}
    for file in files:
        if (other := known.setdefault(composed(file), file)) != file:
            raise InputError(
                f"files {other!a} and {file!a} have the same name in Unicode's composed "
                "form (NFC): rename or remove one"
            )


def _by_name(files: Iterable[str], ids: set[str]) -> dict[str, list[str]]:
    """Returns the files that fit each id, by path or name, with or without suffix."""
    fitting: dict[str, list[str]] = defaultdict(list)
    for file in files:
        path = composed(file)
        name = os.path.basename(path)
        for key in ids & {path, name, without_suffix(path), without_suffix(name)}:
            fitting[key].append(file)
    return fitting
