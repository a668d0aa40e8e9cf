"""Finds the file that the id of a table row names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.files import without_suffix
from tfrecords_tools.text import abbreviate, composed


def match_ids(
    ids: Iterable[str], images: Iterable[str], others: Iterable[str], labels: Path
) -> dict[str, str]:
    """Returns the file of each id of a table; a file that is no image only if no image fits.

    Raises:
        InputError: no file or several files fit an id, two ids fit one file, or two files have
            the same name in composed form.
    """
    ids, images = list(ids), list(images)
    _check_names(images)
    # Others come second, so that a sidecar such as x.json does not compete with x.jpg.
    by_image, by_other = _by_name(images, set(ids)), _by_name(others, set(ids))
    if missing := [id_ for id_ in ids if id_ not in by_image and id_ not in by_other]:
        raise InputError(
            f"{len(missing)} rows of {labels} name no file in the image folder: "
            f"{abbreviate(missing)}: add the files or drop the rows"
        )
    files: dict[str, str] = {}
    id_of: dict[str, str] = {}
    for id_ in ids:
        fitting = _closest(id_, by_image.get(id_) or by_other[id_])
        if len(fitting) > 1:
            raise InputError(
                f"id {id_!r} of {labels} fits several files: {abbreviate(sorted(fitting))}: give "
                "the path below the image folder as id"
            )
        files[id_] = fitting[0]
        if (other := id_of.setdefault(fitting[0], id_)) != id_:
            raise InputError(f"ids {other!r} and {id_!r} of {labels} both name {fitting[0]}")
    return files


def _closest(id_: str, files: tuple[str, ...]) -> tuple[str, ...]:
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


def _by_name(files: Iterable[str], ids: set[str]) -> dict[str, tuple[str, ...]]:
    """Returns the files that fit each id, by path or name, with or without suffix."""
    fitting: dict[str, tuple[str, ...]] = {}
    for file in files:
        path = composed(file)
        name = os.path.basename(path)
        for key in ids & {path, name, without_suffix(path), without_suffix(name)}:
            fitting[key] = (*fitting.get(key, ()), file)
    return fitting
