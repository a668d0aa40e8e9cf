"""The whole pipeline in one call: data set, training, report, balanced data set, SavedModel.

A killed pipeline resumes when it is started again: `pipeline.json` lists the finished stages. An
unfinished stage leaves nothing, except a training run, which resumes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from skin_synth.presets import get_preset, override, preset_of_side
from tfrecords_tools.atomic import check_apart, new_file
from tfrecords_tools.command_line import SEVERAL_LINES
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import Part, read_json
from tfrecords_tools.locks import SOFT_SUFFIX, locked
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.progress import measured_duration
from tfrecords_tools.records.schema import CONTACT_SHEETS
from tfrecords_tools.sources.files import list_files

PIPELINE_RECORD = "pipeline.json"
LOCK = "lock"
LEFTOVERS = (LOCK, f"{LOCK}{SOFT_SUFFIX}", f".tmp-*.{PIPELINE_RECORD}")
"""Files of this module that are no results; a start that was killed leaves them."""
INPUT_FILES = "input_files"
DEFAULT_MINUTES = 60.0
DEFAULT_SIDE = 64
OTHER_STAGES = "a quarter of an hour for 10,000 images of 64 pixels on two CPU cores"
"""How long the stages without training take, measured on HAM10000."""
_LOG = logging.getLogger("skin_synth")


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: a word for the log.
        summary: what it does, for the log.
        output: the result of `work`; it replaces what an earlier start left there.
    """

    name: str
    summary: str
    output: Path
    work: Callable[[], object]


@dataclasses.dataclass
class PipelineRecord:
    """The content of `PIPELINE_RECORD`.

    Attributes:
        settings: the options of the pipeline.
        seconds: duration of each finished stage, by its name.
    """

    settings: dict[str, Any]
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def write(self, root: Path) -> None:
        """Writes the record into the directory of the pipeline."""
        with new_file(root / PIPELINE_RECORD) as file:
            file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """Options of the pipeline after the data set is built.

    Attributes:
        preset: name of a preset; None: the smallest one for the image size.
        init_from: what the training starts from: a run, an exported generator, or the name of an
            installed one (see `skin_synth.training.TrainingOptions`); None: fresh weights.
        overrides: FIELD=VALUE each, of fields of the preset (see `skin_synth.presets.override`).
        minutes: of training; the schedules fit them.
        training_images: most images of training; None: as many as the minutes allow.
        target: images of every class of the balanced data set, see `BalanceOptions`.
    """

    preset: str | None = None
    init_from: str | os.PathLike[str] | None = None
    overrides: Sequence[str] = ()
    minutes: float = DEFAULT_MINUTES
    training_images: int | None = None
    target: str | int | Mapping[str, int] = "max"

    def preset_for(self, side: int) -> str:
        """Returns the name of the preset for images of this side, in pixels.

        Raises:
            InputError: no preset makes images of this size.
        """
        return self.preset or preset_of_side(side).name


def run_pipeline(
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    build: BuildOptions,
    options: PipelineOptions | None = None,
    *,
    dry_run: bool = False,
) -> None:
    """Runs all stages that are not finished.

    Args:
        images: folder of images, see `tfrecords_tools.build`.
        out: directory of all results, made if it does not exist.
        build: options of the data set; `size` must be that of a preset.
        options: of the other stages; None: the defaults.
        dry_run: whether to log only the plan; writes nothing.

    Raises:
        InputError: `out` holds something else, or a pipeline with other settings or images, or one
            that runs; it overlaps with `images`; or a stage fails. The message says what to do.
    """
    options = options or PipelineOptions()
    root = Path(out)
    check_apart(root, {"the images": images, "the labels": build.labels})
    if build.side is None:
        raise InputError(f"size must be a number of pixels, got {build.size!r}")
    preset = options.preset_for(build.side)
    override(get_preset(preset), options.overrides)  # refuses wrong ones before the build
    if options.init_from is not None:
        _check_start(options.init_from)
    stages = (
        Stage(
            "build",
            f"turn {images} into a TFRecord data set of {build.side}x{build.side} pixels",
            root / "data",
            lambda: _build(Path(images), root / "data", build),
        ),
        *stages_after_build(root, preset, options),
    )
    if dry_run:
        for line in _plan(stages, options):
            _LOG.info(line)
        return
    settings = {
        "images": str(images),
        "build": _plain(build),
        INPUT_FILES: _input_files(Path(images), build),
        **_plain(options),
    }
    run_stages(root, settings, stages, plan=_plan(stages, options))


def stages_after_build(
    root: Path, preset: str, options: PipelineOptions
) -> tuple[Stage, Stage, Stage, Stage]:
    """Returns the stages from training to the SavedModel, for the data set `root`/data."""
    data, run, report, balanced, model = (
        root / name for name in ("data", "run", "report", "balanced", "model")
    )
    at_most = "1 minute" if options.minutes == 1 else f"{options.minutes:g} minutes"
    number = options.training_images
    length = f"{number:,} images, or for {at_most}" if number else at_most
    start = "" if options.init_from is None else f" from {options.init_from}"
    return (
        Stage(
            "train",
            f"train {preset}{start} for {length}",
            run,
            lambda: _train(data, run, preset, options),
        ),
        Stage(
            "evaluate",
            "compare synthetic with real images",
            report,
            lambda: _evaluate(run, data, report),
        ),
        Stage(
            "balance",
            "fill the rare classes with synthetic images",
            balanced,
            lambda: _balance(run, data, balanced, options),
        ),
        Stage("export", "write a SavedModel", model, lambda: _export(run, model, report)),
    )


def run_stages(
    root: Path,
    settings: Mapping[str, Any],
    stages: Sequence[Stage],
    *,
    plan: Sequence[str] = (),
    closing: Sequence[str] = (),
) -> None:
    """Runs the stages that are not finished, and all after one that is run.

    Args:
        root: directory of all results.
        settings: JSON values; another start with other ones is refused.
        stages: in order.
        plan: lines to log before the first stage.
        closing: lines to log below the summary.

    Raises:
        InputError: `root` holds something else, was started with other settings, or another process
            is at work there.
    """
    _check_place(root)
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / LOCK, str(root), work="writes its results", flag="--out"):
        record = _open_record(root, dict(settings))
        summary = _run(root, record, stages, plan)
    _LOG.info("\n".join([summary, *closing]), extra=SEVERAL_LINES)


def _run(root: Path, record: PipelineRecord, stages: Sequence[Stage], plan: Sequence[str]) -> str:
    """Runs what is not finished; returns the summary."""
    start = time.monotonic()
    for line in plan:
        _LOG.info(line)
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
        _LOG.info(f"      {stage.output} in {measured_duration(record.seconds[stage.name])}")
    return _summary(root, time.monotonic() - start)


def _input_files(images: Path, build: BuildOptions) -> str:
    """Describes the files that the data set is built from, so that a later start sees changes.

    Of images it takes names and sizes only, which takes a second for 100,000 files. Times of change
    do not count: a folder that was copied or downloaded again has new ones, and the same images.
    """
    found = list_files(images, follow_links=build.follow_links).found
    names = [f"{file}\0{(images / file).stat().st_size}".encode() for file in found]
    named = (build.labels, build.metadata, build.label_map)
    tables = [Path(table) for table in named if table is not None and Path(table).is_file()]
    digest = hashlib.sha256(b"\n".join([*names, *(table.read_bytes() for table in tables)]))
    counts = f"{_number(len(found), 'image')} and {_number(len(tables), 'table')}"
    return f"{counts}, {digest.hexdigest()[:12]}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _check_start(init_from: str | os.PathLike[str]) -> None:
    """Refuses what no training can start from, before the data set is built."""
    from skin_synth.training.warm_start import load_ancestor

    load_ancestor(init_from)


def _build(images: Path, data: Path, options: BuildOptions) -> None:
    from tfrecords_tools import build
    from tfrecords_tools.cli import show_built

    show_built(build(images, data, options, overwrite=True), data, show=_LOG.info)


def _train(data: Path, run: Path, preset: str, options: PipelineOptions) -> None:
    from skin_synth.training import TrainingOptions, train

    training = TrainingOptions(
        preset=preset,
        init_from=options.init_from,
        overrides=options.overrides,
        images=options.training_images,
        minutes=options.minutes,
        schedule_minutes=options.minutes,
    )
    train(data, run, training)


def _evaluate(run: Path, data: Path, report: Path) -> None:
    from skin_synth.evaluation import evaluate
    from skin_synth.training import load_run

    evaluate(load_run(run), data, report, overwrite=True)


def _balance(run: Path, data: Path, balanced: Path, options: PipelineOptions) -> None:
    from skin_synth.synthesis import BalanceOptions, balance
    from skin_synth.training import load_run

    balance(load_run(run), data, balanced, BalanceOptions(target=options.target), overwrite=True)


def _export(run: Path, model: Path, report: Path) -> None:
    from skin_synth.saved_model.export import export
    from skin_synth.training import load_run

    export(load_run(run), model, report=report)


def _plan(stages: Sequence[Stage], options: PipelineOptions) -> list[str]:
    """Returns what will be done and how long it takes."""
    return [
        "plan:",
        *(f"  {stage.name}: {stage.summary} -> {stage.output}" for stage in stages),
        f"  time: {options.minutes:g} minutes of training at most; the other stages take about "
        f"{OTHER_STAGES}",
    ]


def _check_place(root: Path) -> None:
    """Refuses what is no directory of a pipeline, before anything is written there."""
    if (root / PIPELINE_RECORD).exists() or not root.exists():
        return
    if not root.is_dir() or _has_results(root):
        raise InputError(
            f"{root} exists and holds no results of this command; choose another --out"
        )


def _has_results(root: Path) -> bool:
    known = (PIPELINE_RECORD, *LEFTOVERS)
    return any(not any(map(path.match, known)) for path in root.iterdir())


def _open_record(root: Path, settings: dict[str, Any]) -> PipelineRecord:
    """Reads the record, or writes a new one.

    Only the holder of the lock may call it: another process may change the record at any time.
    """
    path = root / PIPELINE_RECORD
    settings = json.loads(json.dumps(settings))  # as it is read again
    if path.exists():
        repair = f"remove {root} or choose another --out"
        record = read_json(path, PipelineRecord, repair=repair)
        why_not = _why_not_go_on(root, record.settings, settings)
        if not why_not:
            return record
        # Settings that the first stage refused, so that nothing is there, can be mended.
        if record.seconds or _has_results(root):
            raise InputError(why_not)
    record = PipelineRecord(settings)
    record.write(root)
    return record


def _why_not_go_on(root: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Says why a start with the settings `now` cannot continue; "" if it can."""
    old, new = (
        {name: value for name, value in settings.items() if name != INPUT_FILES}
        for settings in (before, now)
    )
    if difference := _difference(old, new):
        return (
            f"{root} was started with {difference}: choose another --out, or the same settings to "
            "go on"
        )
    # A record of an older release does not say what its files were.
    known = INPUT_FILES in before and INPUT_FILES in now
    if known and (seen := _changed_files(str(before[INPUT_FILES]), str(now[INPUT_FILES]))):
        return (
            f"the images or tables in {now['images']} changed since the data set was built "
            f"({seen}): choose another --out, or put the old files back"
        )
    return ""


def _changed_files(before: str, now: str) -> str:
    """Compares two texts of `_input_files`; returns how many files there were, "" for no change."""
    (then, _, old_digest), (counts, _, digest) = (text.rpartition(", ") for text in (before, now))
    if old_digest == digest:
        return ""
    return f"{counts}, as many as then" if then == counts else f"{then} then, {counts} now"


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    parts = []
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            parts.append(_difference(old, new))
        elif old != new:
            parts.append(f"{name} = {old}, got {new}")
    return "; ".join(filter(None, parts))


def _plain(options: BuildOptions | PipelineOptions) -> dict[str, Any]:
    """Returns values that JSON can hold; paths become strings."""
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in dataclasses.asdict(options).items()
    }


@dataclasses.dataclass(frozen=True)
class _Report(Part):
    summary: tuple[str, ...]


def _summary(root: Path, seconds: float) -> str:
    previews = sorted((root / "run" / "previews").glob("*.png"))
    versions = [path for path in (root / "model").iterdir() if path.name.isdigit()]
    path = root / "report" / "report.json"
    report = read_json(path, _Report, repair=f"remove {path.parent}, and start again")
    return "\n".join(
        [
            f"\nThe whole pipeline in {measured_duration(seconds)}:",
            f"  your images        {root / 'data' / CONTACT_SHEETS} (look for wrong ones)",
            f"  report             {root / 'report' / 'report.html'}",
            f"  synthetic images   {previews[-1]}",
            f"  balanced data set  {root / 'balanced'}",
            f"  SavedModel         {max(versions, key=lambda path: int(path.name))}",
            f"The report says: {' '.join(report.summary[:2])}",
        ]
    )
