"""The whole pipeline on procedural images: folder, data set, training, report, balance, SavedModel.

A killed demo resumes when it is started again: `demo.json` lists the finished stages. An unfinished
stage leaves nothing, except a training run, which resumes.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tfrecords_tools.atomic import new_file
from tfrecords_tools.command_line import SEVERAL_LINES
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import read_json

DEMO_PRESET = "derm-32"
DEMO_IMAGES = 100_000
"""Images of training, or as many as `DEMO_MINUTES` allow."""
DEMO_MINUTES = 8.5
PHANTOM_COUNTS = (1_200, 700, 500, 350, 250, 180, 140)
"""Phantoms in each class: as unequal as in skin collections."""
DEMO_RECORD = "demo.json"
_LOG = logging.getLogger("skin_synth")


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the demo.

    Attributes:
        name: a word for the log.
        output: the result of `work`; it replaces what an earlier start left there.
    """

    name: str
    summary: str
    output: Path
    work: Callable[[], object]


@dataclasses.dataclass
class DemoRecord:
    """The content of `DEMO_RECORD`.

    Attributes:
        settings: images, minutes and counts.
        seconds: duration of each finished stage, by its name.
    """

    settings: dict[str, Any]
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def write(self, root: Path) -> None:
        """Writes the record into the demo directory."""
        with new_file(root / DEMO_RECORD) as file:
            file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def run_demo(
    out: str | os.PathLike[str],
    *,
    images: int = DEMO_IMAGES,
    minutes: float = DEMO_MINUTES,
    counts: Sequence[int] = PHANTOM_COUNTS,
) -> None:
    """Runs all stages that are not finished.

    Args:
        out: demo directory, made if it does not exist.
        images: most images of training.
        minutes: most minutes of training.
        counts: phantoms in each of the seven classes.

    Raises:
        InputError: `out` holds something else, or a demo with other settings.
    """
    root = Path(out)
    record = _open_record(root, {"images": images, "minutes": minutes, "counts": list(counts)})
    stages = _stages(root, images, minutes, tuple(counts))
    start = time.monotonic()
    for number, stage in enumerate(stages):
        title = f"[{number + 1}/{len(stages)}] {stage.name}: {stage.summary}"
        if stage.name in record.seconds and stage.output.exists():
            _LOG.info(f"{title} - done before")
            continue
        _LOG.info(title)
        for outdated in stages[number:]:
            record.seconds.pop(outdated.name, None)
        record.write(root)
        stage_start = time.monotonic()
        stage.work()
        record.seconds[stage.name] = round(time.monotonic() - stage_start, 1)
        record.write(root)
        _LOG.info(f"      {stage.output} in {_duration(record.seconds[stage.name])}")
    _LOG.info(_summary(root, time.monotonic() - start), extra=SEVERAL_LINES)


def _stages(root: Path, images: int, minutes: float, counts: tuple[int, ...]) -> tuple[Stage, ...]:
    folder, data, run, report, balanced, model = (
        root / name for name in ("phantoms", "data", "run", "report", "balanced", "model")
    )
    lesions = f"render {sum(counts):,} procedural lesions of {len(counts)} classes"
    training = f"train {DEMO_PRESET} on {images:,} images, or on what {minutes:g} minutes allow"
    comparing = "compare synthetic with real images"
    filling = "fill the rare classes with synthetic images"
    return (
        Stage("phantoms", lesions, folder, lambda: _render(folder, counts)),
        Stage("build", "turn them into a TFRecord data set", data, lambda: _build(folder, data)),
        Stage("train", training, run, lambda: _train(data, run, images, minutes)),
        Stage("evaluate", comparing, report, lambda: _evaluate(run, data, report)),
        Stage("balance", filling, balanced, lambda: _balance(run, data, balanced)),
        Stage("export", "write a SavedModel", model, lambda: _export(run, model)),
    )


def _render(folder: Path, counts: tuple[int, ...]) -> None:
    from skin_synth import phantoms

    if len(counts) != len(phantoms.CLASS_NAMES):
        raise InputError(f"needs {len(phantoms.CLASS_NAMES)} counts, one per class, got {counts}")
    by_class = dict(zip(phantoms.CLASS_NAMES, counts, strict=True))
    phantoms.write_folder(folder, counts=by_class, overwrite=True)


def _build(folder: Path, data: Path) -> None:
    from skin_synth.presets import get_preset
    from tfrecords_tools import build

    build(
        folder / "images",
        data,
        name="phantoms",
        labels=folder / "labels.csv",
        id_column="image_id",
        label_column="label",
        group_column="group",
        size=get_preset(DEMO_PRESET).image_size,
        overwrite=True,
    )


def _train(data: Path, run: Path, images: int, minutes: float) -> None:
    from skin_synth.training import TrainingOptions, train

    options = TrainingOptions(
        preset=DEMO_PRESET, images=images, minutes=minutes, schedule_minutes=minutes
    )
    train(data, run, options)


def _evaluate(run: Path, data: Path, report: Path) -> None:
    from skin_synth.evaluation import evaluate
    from skin_synth.training import load_run

    evaluate(load_run(run), data, report, overwrite=True)


def _balance(run: Path, data: Path, balanced: Path) -> None:
    from skin_synth.synthesis import balance
    from skin_synth.training import load_run

    balance(load_run(run), data, balanced, overwrite=True)


def _export(run: Path, model: Path) -> None:
    from skin_synth.saved_model.export import export
    from skin_synth.training import load_run

    export(load_run(run), model)


def _open_record(root: Path, settings: dict[str, object]) -> DemoRecord:
    path = root / DEMO_RECORD
    if path.exists():
        record = _read_record(path)
        if record.settings != settings:
            raise InputError(
                f"{root} holds a demo with {record.settings}, got {settings}: "
                "choose another --out, or the same settings to go on"
            )
        return record
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} exists and holds no demo; choose another --out")
    root.mkdir(parents=True, exist_ok=True)
    record = DemoRecord(settings)
    record.write(root)
    return record


def _read_record(path: Path) -> DemoRecord:
    return read_json(path, DemoRecord, repair=f"remove {path.parent} or choose another --out")


def _summary(root: Path, seconds: float) -> str:
    previews = sorted((root / "run" / "previews").glob("*.png"))
    versions = [path for path in (root / "model").iterdir() if path.name.isdigit()]
    return "\n".join(
        [
            f"\nThe whole pipeline in {_duration(seconds)}:",
            f"  report             {root / 'report' / 'report.html'}",
            f"  synthetic images   {previews[-1]}",
            f"  balanced data set  {root / 'balanced'}",
            f"  SavedModel         {max(versions, key=lambda path: int(path.name))}",
        ]
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
