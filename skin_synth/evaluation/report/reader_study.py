"""A blind reader study: can people distinguish synthetic images from real ones?

Readers get `study.html`, which asks for one image after the other and saves their answers as a CSV.
On paper they get `sheet.html` (or `sheet.png`) and `answers.csv`. `key.csv` stays with the
organiser.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
import operator
import os
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_real_split
from skin_synth.evaluation.readers.form import (
    ANSWER_COLUMNS,
    CERTAINTIES,
    KEY_COLUMNS,
    PAGE_COLUMNS,
)
from skin_synth.evaluation.report.page import image_uri, render_page
from skin_synth.generator import RUN, ImageGenerator, check_same_data, inputs_of
from skin_synth.image_grid import image_grid
from skin_synth.random_streams import EvaluationStream
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.csv_writing import spreadsheet_csv
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import ORIGIN_REAL, ORIGIN_SYNTHETIC

_LOG = logging.getLogger("skin_synth")
DEFAULT_PER_CLASS = 8
SHEET_COLUMNS = 8
PAGE, SHEET, PICTURE = "study.html", "sheet.html", "sheet.png"
ANSWERS, KEY = "answers.csv", "key.csv"
CLASS_KEYS = "".join(letter for letter in string.ascii_lowercase if letter not in "rs")
"""Keys that choose a class on the page; R and S choose real and synthetic."""


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One image of a study, uint8[side, side, 3]; `number` is its number on the sheet, from 1.

    The origin is real or synthetic; the source is the id of a real image or a seed.
    """

    number: int
    class_name: str
    image: np.ndarray
    origin: str
    source: str


def write_reader_study(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    per_class: int = DEFAULT_PER_CLASS,
    seed: int = 0,
    overwrite: bool = False,
) -> list[Item]:
    """Writes the page, the sheet with its answer form, and the key.

    Real images are from the test split, one of each group. If a class has fewer of them than
    requested, it has as few synthetic images.

    Args:
        run: generates the synthetic images.
        data_dir: the data set on which it was trained, with a test split.
        out_dir: new directory, which appears complete or not at all.
        per_class: real images of a class, and as many synthetic ones.
        seed: of the choice, the synthetic images and the order.
        overwrite: whether to replace `out_dir` if it is a reader study.

    Returns:
        The images in the order of the sheet.

    Raises:
        InputError: another data set than the run's, a count below 1, or `out_dir` exists, or is,
            contains or is inside an input.
    """
    if per_class < 1:
        raise InputError(f"per_class must be 1 or more, got {per_class}")
    check_apart(out_dir, inputs_of(run, data_dir), may_lie_in={RUN})
    check_same_data(run, data_dir)
    with new_directory(out_dir, overwrite=overwrite, marker=KEY) as directory:
        items = choose_items(run, load_real_split(data_dir, "test"), per_class=per_class, seed=seed)
        if not items:
            raise InputError(f"{data_dir} has no test image: build it with a test split")
        _tell_fewer(items, run.class_names, per_class)
        (directory / PAGE).write_text(render_study(items), encoding="utf-8")
        (directory / SHEET).write_text(render_sheet(items), encoding="utf-8")
        rows, names = _picture(items)
        image_grid(rows, names, directory / PICTURE)
        answers = ([item.number, item.class_name, "", "", ""] for item in items)
        (directory / ANSWERS).write_bytes(spreadsheet_csv(ANSWER_COLUMNS, answers))
        study = study_id(items)
        key = ([item.number, item.class_name, item.origin, item.source, study] for item in items)
        (directory / KEY).write_bytes(spreadsheet_csv(KEY_COLUMNS, key))
    return items


def _tell_fewer(items: Sequence[Item], class_names: Sequence[str], per_class: int) -> None:
    """Logs the classes that have fewer real images than requested."""
    real = Counter(item.class_name for item in items if item.origin == ORIGIN_REAL)
    fewer = [_few(name, real[name]) for name in class_names if real[name] < per_class]
    if fewer:
        _LOG.info(f"{'; '.join(fewer)}; --per_class asks for {per_class:,} of each")


def _few(name: str, count: int) -> str:
    """Says how many images a class has in the study; `count`: of its test lesions."""
    if not count:
        return f"{name} has no test lesion, so it is not in the study"
    noun, image = ("lesion", "image") if count == 1 else ("lesions", "images")
    return (
        f"{name} has only {count:,} test {noun}, so it has {count:,} real and {count:,} synthetic "
        f"{image}"
    )


def choose_items(
    run: ImageGenerator, test: LabelledImages, *, per_class: int, seed: int
) -> list[Item]:
    """Chooses real images of `test` and generates synthetic ones of each class, in random order."""

    def generator(stream: EvaluationStream, label: int) -> np.random.Generator:
        return np.random.default_rng([seed, stream, label])

    items: list[Item] = []
    for label, name in enumerate(test.class_names):
        rng = generator(EvaluationStream.READER_CHOICE, label)
        of_group: dict[str, int] = {}
        for row in rng.permutation(np.flatnonzero(test.labels == label)).tolist():
            of_group.setdefault(test.groups[row], row)
        rows = list(of_group.values())[:per_class]
        if not rows:
            continue
        rng = generator(EvaluationStream.READER_GENERATION, label)
        seeds = rng.integers(0, 2**63 - 1, len(rows))
        synthetic = run.generate(np.full(len(rows), label), seeds, truncation=1.0)
        both = [
            *((test.images[row], ORIGIN_REAL, test.image_ids[row]) for row in rows),
            *(
                (image, ORIGIN_SYNTHETIC, str(number))
                for image, number in zip(synthetic, seeds, strict=True)
            ),
        ]
        for chosen in generator(EvaluationStream.READER_ORDER, label).permutation(len(both)):
            items.append(Item(len(items) + 1, name, *both[chosen]))
    return items


def study_id(items: Sequence[Item]) -> str:
    """Returns an id of the images and their numbers: 12 hexadecimal digits."""
    pixels = b"".join(item.image.tobytes() for item in items)
    return hashlib.sha256(pixels).hexdigest()[:12]


def render_study(items: Sequence[Item]) -> str:
    """Renders the page that asks for one image after the other; it reveals no origin and no class.

    It loads and sends nothing. Each reader has an order of the images.
    """
    names = list(_by_class(items))
    study = {
        "id": study_id(items),
        "columns": PAGE_COLUMNS,
        "classes": names,
        "keys": CLASS_KEYS,
        "certainties": CERTAINTIES,
        "items": [{"number": item.number, "image": image_uri(item.image)} for item in items],
    }
    return render_page(
        PAGE,
        answers=ANSWERS,
        certainties=CERTAINTIES,
        count=len(items),
        keys=CLASS_KEYS,
        names=names,
        side=items[0].image.shape[0],
        study=study,
    )


def render_sheet(items: Sequence[Item]) -> str:
    """Renders the sheet for the readers; it does not reveal the key and loads nothing."""
    return render_page(SHEET, filters={"uri": image_uri}, answers=ANSWERS, classes=_by_class(items))


def _by_class(items: Sequence[Item]) -> dict[str, list[Item]]:
    by_class = itertools.groupby(items, operator.attrgetter("class_name"))
    return {name: list(of_class) for name, of_class in by_class}


def _picture(items: Sequence[Item]) -> tuple[list[np.ndarray], list[str]]:
    """Rows of at most eight images, and the name of each row."""
    rows, names = [], []
    for name, of_class in _by_class(items).items():
        for start in range(0, len(of_class), SHEET_COLUMNS):
            part = of_class[start : start + SHEET_COLUMNS]
            rows.append(np.stack([item.image for item in part]))
            names.append(f"{name} {part[0].number}-{part[-1].number}")
    return rows, names
