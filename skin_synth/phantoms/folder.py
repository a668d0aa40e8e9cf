"""A collection of phantoms on disk: an image folder and a CSV, the format of users' images."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from skin_synth.phantoms.lesions import CLASS_NAMES
from skin_synth.phantoms.photograph import render
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import track

SECOND_VIEW_SHARE = 0.2
"""Share of lesions with a second photograph."""
IMAGE_FOLDER = "images"
LABELS_CSV = "labels.csv"


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One image of a collection.

    Attributes:
        image_id: stem of its file name.
        group, index: name and number of its lesion in the collection.
        view: 0, or 1 for the second photograph of a lesion.
    """

    image_id: str
    label: str
    group: str
    index: int
    view: int


def plan(counts: Mapping[str, int] | int, *, seed: int) -> list[Photograph]:
    """Plans the lesions of a collection and the number of their photographs.

    Args:
        counts: images in each class, or one number for every class.
        seed: of the collection.

    Returns:
        One entry for each image, class after class; the second view follows the first.

    Raises:
        InputError: unknown class, negative count, or no image at all.
    """
    photographs: list[Photograph] = []
    lesion = 0
    for label, count in _checked(counts).items():
        end = len(photographs) + count
        while len(photographs) < end:
            twice = np.random.default_rng([seed, lesion]).uniform() < SECOND_VIEW_SHARE
            for view in range(min(2 if twice else 1, end - len(photographs))):
                image_id = f"phantom_{len(photographs):06d}"
                group = f"lesion_{lesion:06d}"
                photographs.append(Photograph(image_id, label, group, lesion, view))
            lesion += 1
    return photographs


def write_folder(
    out: str | os.PathLike[str],
    *,
    counts: Mapping[str, int] | int,
    size: int = 64,
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Writes `images/*.png` and `labels.csv`, completely or not at all.

    Args:
        out: new folder.
        counts: images in each class, or one number for every class.
        size: height and width in pixels.
        seed: of the collection.
        overwrite: whether to replace `out` if it is such a folder.

    Raises:
        InputError: as `plan`; too small a size, or `out` exists.
    """
    photographs = plan(counts, seed=seed)
    first = _image_file(photographs[0])
    with new_directory(out, overwrite=overwrite, marker=first) as folder:
        (folder / IMAGE_FOLDER).mkdir()
        with open(folder / LABELS_CSV, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(_render(folder, photographs, size=size, seed=seed))
    return Path(out)


def _image_file(photograph: Photograph) -> str:
    return f"{IMAGE_FOLDER}/{photograph.image_id}.png"


def _render(
    folder: Path, photographs: list[Photograph], *, size: int, seed: int
) -> Iterator[list[object]]:
    """Writes the images; yields the rows of the table, the header first."""
    from PIL import Image

    shown = track(photographs, total=len(photographs), unit="images", description="phantoms")
    for row, each in enumerate(shown):
        image, parameters = render(seed, each.index, each.label, size, view=each.view)
        if row == 0:
            yield ["image_id", "label", "group", *parameters]
        Image.fromarray(image).save(folder / _image_file(each), compress_level=1)
        yield [each.image_id, each.label, each.group, *parameters.values()]


def _checked(counts: Mapping[str, int] | int) -> dict[str, int]:
    by_class = dict.fromkeys(CLASS_NAMES, counts) if isinstance(counts, int) else dict(counts)
    for label, count in by_class.items():
        if label not in CLASS_NAMES:
            known = ", ".join(CLASS_NAMES)
            raise InputError(f"unknown phantom class {label!r}; the classes are {known}")
        if count < 0:
            raise InputError(f"the number of {label!r} phantoms must be 0 or more, got {count}")
    if not sum(by_class.values()):
        raise InputError(f"needs at least one phantom, got counts {by_class}")
    return by_class
