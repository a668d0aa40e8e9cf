"""A blind reader study: can people tell synthetic images from real ones?

Readers get `sheet.html` (or `sheet.png`) and `answers.csv`; `key.csv` stays with the organiser.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path

import jinja2
import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.generator import RUN, ImageGenerator, check_same_data, inputs_of
from skin_synth.image_grid import image_grid, png_bytes
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import ORIGIN_REAL, ORIGIN_SYNTHETIC

PER_CLASS = 8
"""Real images of a class, and as many synthetic ones, by default."""
COLUMNS = 8
SHEET, PICTURE, ANSWERS, KEY = "sheet.html", "sheet.png", "answers.csv", "key.csv"
CHOOSE, PAINT, ORDER = range(20, 23)
"""What random numbers are for: keeps the streams of one seed apart."""


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One image of a study.

    Attributes:
        number: on the sheet, from 1.
        label: name of its class.
        image: uint8[side, side, 3].
        origin: real or synthetic.
        source: image id of a real one, seed of a synthetic one.
    """

    number: int
    label: str
    image: np.ndarray
    origin: str
    source: str


def write_reader_study(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    per_class: int = PER_CLASS,
    seed: int = 0,
    overwrite: bool = False,
) -> list[Item]:
    """Writes the sheet, the answer form and the key.

    Real images are from the test split, one of each group; where a class has fewer than asked
    for, it has as few synthetic ones.

    Args:
        run: what paints.
        data_dir: the data set that it was trained on, with a test split.
        out_dir: new directory, complete or not there.
        per_class: real images of a class, and as many synthetic ones.
        seed: of the choice, the synthetic images and the order.
        overwrite: replace `out_dir` where it is a reader study already.

    Returns:
        What is on the sheet, in its order.

    Raises:
        InputError: another data set than the run's, a count below 1, or `out_dir` exists, or is,
            holds or lies in what is read.
    """
    if per_class < 1:
        raise InputError(f"per_class must be 1 or more, got {per_class}")
    check_apart(out_dir, inputs_of(run, data_dir), may_lie_in={RUN})
    check_same_data(run, data_dir)
    with new_directory(out_dir, overwrite=overwrite, marker=KEY) as directory:
        items = gather_items(run, load_split(data_dir, "test"), per_class=per_class, seed=seed)
        (directory / SHEET).write_text(render_sheet(items), encoding="utf-8")
        rows, names = _picture(items)
        image_grid(rows, names, directory / PICTURE)
        _write_table(
            directory / ANSWERS,
            ["number", "class", "real_or_synthetic", "certainty_1_to_5", "remarks"],
            [[item.number, item.label, "", "", ""] for item in items],
        )
        _write_table(
            directory / KEY,
            ["number", "class", "origin", "source"],
            [[item.number, item.label, item.origin, item.source] for item in items],
        )
    return items


def gather_items(
    run: ImageGenerator, test: LabelledImages, *, per_class: int, seed: int
) -> list[Item]:
    """Real and synthetic images of each class, shuffled within the class and numbered through.

    Args:
        run: what paints.
        test: held-out real images.
        per_class: real images of a class, and as many synthetic ones.
        seed: of the choice, the synthetic images and the order.
    """
    items: list[Item] = []
    for label, name in enumerate(test.class_names):
        rows = _choose(test, label, per_class, np.random.default_rng([seed, CHOOSE, label]))
        seeds = np.random.default_rng([seed, PAINT, label]).integers(0, 2**63 - 1, len(rows))
        if not len(rows):
            continue
        painted = run.generate(np.full(len(rows), label), seeds, truncation=1.0)
        both = [(test.images[row], ORIGIN_REAL, test.image_ids[row]) for row in rows]
        both += [
            (image, ORIGIN_SYNTHETIC, str(number))
            for image, number in zip(painted, seeds, strict=True)
        ]
        for chosen in np.random.default_rng([seed, ORDER, label]).permutation(len(both)):
            items.append(Item(len(items) + 1, name, *both[chosen]))
    return items


def render_sheet(items: Sequence[Item]) -> str:
    """The page that readers see; it tells nothing of the key and loads nothing."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skin_synth.evaluation.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = list(dict.fromkeys(item.label for item in items))
    return environment.get_template(SHEET).render(
        answers=ANSWERS,
        classes=[
            {
                "name": name,
                "images": [
                    {"number": item.number, "source": _uri(item.image)}
                    for item in items
                    if item.label == name
                ],
            }
            for name in names
        ],
    )


def _choose(test: LabelledImages, label: int, count: int, rng: np.random.Generator) -> list[int]:
    """Rows of one class, no two of one group."""
    chosen: dict[str, int] = {}
    for row in rng.permutation(np.flatnonzero(test.labels == label)):
        chosen.setdefault(test.groups[row], int(row))
    return list(chosen.values())[:count]


def _picture(items: Sequence[Item]) -> tuple[list[np.ndarray], list[str]]:
    """Rows of at most eight images and what stands before them."""
    rows, names = [], []
    for name in dict.fromkeys(item.label for item in items):
        of_class = [item for item in items if item.label == name]
        for start in range(0, len(of_class), COLUMNS):
            part = of_class[start : start + COLUMNS]
            rows.append(np.stack([item.image for item in part]))
            names.append(f"{name} {part[0].number}-{part[-1].number}")
    return rows, names


def _uri(image: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png_bytes(image)).decode('ascii')}"


def _write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    path.write_text(text.getvalue(), encoding="utf-8")
