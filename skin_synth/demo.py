"""The whole road on procedural images: folder, data set, training, report, balance, SavedModel.

A demo that was killed goes on where it stopped when it is started again: each finished stage is
noted in `demo.json`, and an unfinished one leaves nothing behind but a training run that resumes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError

PRESET = "derm-32"
IMAGES = 100_000
"""Training takes so many images, or as many as there is time for in `MINUTES`."""
MINUTES = 8.5
COUNTS = (1_200, 700, 500, 350, 250, 180, 140)
"""Phantoms in each class: as uneven as skin collections are."""
RECORD = "demo.json"


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things lie in a demo directory.

    Attributes:
        root: the demo directory.
    """

    root: Path

    @property
    def phantoms(self) -> Path:
        """The image folder with its CSV."""
        return self.root / "phantoms"

    @property
    def data(self) -> Path:
        """The data set directory."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """The run directory."""
        return self.root / "run"

    @property
    def report(self) -> Path:
        """The directory of the evaluation report."""
        return self.root / "report"

    @property
    def balanced(self) -> Path:
        """The balanced data set directory."""
        return self.root / "balanced"

    @property
    def model(self) -> Path:
        """The directory of SavedModel versions."""
        return self.root / "model"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stretch of the road.

    Attributes:
        name: a word for the log.
        what: what it does, for a person.
        output: what it makes.
        work: makes it, in place of whatever an earlier start has left there.
    """

    name: str
    what: str
    output: Path
    work: Callable[[], Any]


def run_demo(
    out: str | os.PathLike[str],
    *,
    images: int = IMAGES,
    minutes: float = MINUTES,
    counts: Iterable[int] = COUNTS,
    say: Callable[[str], None] = print,
) -> Places:
    """Goes the whole road, or what is left of it.

    Args:
        out: demo directory, made where it does not exist.
        images: training takes so many images.
        minutes: or as many as there is time for in so many minutes, if these are fewer.
        counts: phantoms in each of the seven classes.
        say: takes each line of news.

    Returns:
        Where the results lie.

    Raises:
        InputError: `out` holds something else, or a demo with other settings.
    """
    places = Places(Path(out))
    counts = tuple(counts)
    record = _open_record(places.root, {"images": images, "minutes": minutes, "counts": counts})
    stages = _stages(places, images=images, minutes=minutes, counts=counts)
    start = time.monotonic()
    for number, stage in enumerate(stages):
        title = f"[{number + 1}/{len(stages)}] {stage.name}: {stage.what}"
        if stage.name in record["seconds"] and stage.output.exists():
            say(f"{title} - done before")
            continue
        say(title)
        _forget(record, places.root, stages[number:])
        stage_start = time.monotonic()
        stage.work()
        record["seconds"][stage.name] = round(time.monotonic() - stage_start, 1)
        _write_record(places.root, record)
        say(f"      {stage.output} in {_duration(record['seconds'][stage.name])}")
    say(_summary(places, time.monotonic() - start))
    return places


def _stages(
    places: Places, *, images: int, minutes: float, counts: tuple[int, ...]
) -> tuple[Stage, ...]:
    return (
        Stage(
            "phantoms",
            f"paint {sum(counts):,} procedural lesions of {len(counts)} classes",
            places.phantoms,
            lambda: _paint(places, counts),
        ),
        Stage("build", "turn them into a TFRecord data set", places.data, lambda: _build(places)),
        Stage(
            "train",
            f"train {PRESET} on {images:,} images, or on what {minutes:g} minutes allow",
            places.run,
            lambda: _train(places, images, minutes),
        ),
        Stage(
            "evaluate",
            "compare synthetic with real images",
            places.report,
            lambda: _evaluate(places),
        ),
        Stage(
            "balance",
            "fill the rare classes with synthetic images",
            places.balanced,
            lambda: _balance(places),
        ),
        Stage("export", "write a SavedModel", places.model, lambda: _export(places)),
    )


def _paint(places: Places, counts: tuple[int, ...]) -> None:
    from skin_synth import phantoms

    if len(counts) != len(phantoms.CLASS_NAMES):
        raise InputError(f"needs {len(phantoms.CLASS_NAMES)} counts, one per class, got {counts}")
    by_class = dict(zip(phantoms.CLASS_NAMES, counts, strict=True))
    phantoms.write_folder(places.phantoms, counts=by_class, overwrite=True)


def _build(places: Places) -> None:
    from skin_synth.presets import get_preset
    from tfrecords_tools import build

    build(
        places.phantoms / "images",
        places.data,
        name="phantoms",
        labels=places.phantoms / "labels.csv",
        id_column="image_id",
        label_column="label",
        group_column="group",
        size=get_preset(PRESET).image_size,
        overwrite=True,
    )


def _train(places: Places, images: int, minutes: float) -> None:
    from skin_synth.training.trainer import train

    train(
        places.data,
        places.run,
        preset=PRESET,
        images=images,
        minutes=minutes,
        schedule_minutes=minutes,
    )


def _evaluate(places: Places) -> None:
    from skin_synth.evaluation import evaluate
    from skin_synth.training.runs import load_run

    evaluate(load_run(places.run), places.data, places.report, overwrite=True)


def _balance(places: Places) -> None:
    from skin_synth.synthesis import balance
    from skin_synth.training.runs import load_run

    balance(load_run(places.run), places.data, places.balanced, overwrite=True)


def _export(places: Places) -> None:
    from skin_synth.saved_model.export import export
    from skin_synth.training.runs import load_run

    export(load_run(places.run), places.model)


def _open_record(root: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier start has noted, or a new, empty note."""
    path = root / RECORD
    settings = json.loads(json.dumps(settings))
    if path.exists():
        record = _read_record(path)
        if record["settings"] != settings:
            raise InputError(
                f"{root} holds a demo with {record['settings']}, asked for was {settings}: "
                "choose another --out, or the same settings to go on"
            )
        return record
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} exists and holds no demo; choose another --out")
    root.mkdir(parents=True, exist_ok=True)
    record = {"settings": settings, "seconds": {}}
    _write_record(root, record)
    return record


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
        return {"settings": record["settings"], "seconds": dict(record["seconds"])}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); remove {path.parent} or choose another --out"
        ) from error


def _write_record(root: Path, record: Mapping[str, Any]) -> None:
    with new_file(root / RECORD) as file:
        file.write_text(json.dumps(record, indent=2) + "\n")


def _forget(record: dict[str, Any], root: Path, stages: Iterable[Stage]) -> None:
    """Strikes stages out before one of them is worked anew: what follows it is stale."""
    for stage in stages:
        record["seconds"].pop(stage.name, None)
    _write_record(root, record)


def _summary(places: Places, seconds: float) -> str:
    previews = sorted((places.run / "previews").glob("*.png"))
    versions = sorted(
        (path for path in places.model.iterdir() if path.name.isdigit()),
        key=lambda path: int(path.name),
    )
    return "\n".join(
        [
            f"\nThe whole road in {_duration(seconds)}:",
            f"  report             {places.report / 'report.html'}",
            f"  synthetic images   {previews[-1]}",
            f"  balanced data set  {places.balanced}",
            f"  SavedModel         {versions[-1]}",
        ]
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
