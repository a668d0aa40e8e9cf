"""The demo: the whole pipeline on procedural images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from skin_synth.pipeline import PipelineOptions, Stage, run_stages, stages_after_build
from tfrecords_tools.errors import InputError

DEMO_PRESET = "derm-32"
DEMO_OVERRIDES = ("mapping_layers=2", "augment_probability=0")
"""The classes of the phantoms have few, very different forms, and the run is short: without these
two, each class would show hardly more than one form (docs/study/demo.md)."""
DEMO_IMAGES = 100_000
"""Images of training, or as many as `DEMO_MINUTES` allow."""
DEMO_MINUTES = 8.5
CLOSING = (
    "Such faults are expected: minutes of training are too few, and the report shows it.",
    "Images of real classes, without training: skin-synth pretrained",
)
"""What a newcomer should know below the summary."""
PHANTOM_COUNTS = (1_200, 800, 600, 450, 350, 300, 260)
"""Phantoms in each class: as unequal as in skin collections."""


def run_demo(
    out: str | os.PathLike[str],
    *,
    images: int = DEMO_IMAGES,
    minutes: float = DEMO_MINUTES,
    counts: Sequence[int] = PHANTOM_COUNTS,
) -> None:
    """Runs all stages that are not finished; the same call again resumes.

    Args:
        out: demo directory, made if it does not exist.
        images: most images of training.
        minutes: most minutes of training.
        counts: phantoms in each of the seven classes.

    Raises:
        InputError: `out` holds something else, or a demo with other settings.
    """
    root = Path(out)
    folder, data = root / "phantoms", root / "data"
    lesions = f"render {sum(counts):,} procedural lesions of {len(counts)} classes"
    options = PipelineOptions(
        preset=DEMO_PRESET,
        overrides=DEMO_OVERRIDES,
        minutes=minutes,
        training_images=images,
    )
    stages = (
        Stage("phantoms", lesions, folder, lambda: _render(folder, tuple(counts))),
        Stage("build", "turn them into a TFRecord data set", data, lambda: _build(folder, data)),
        *stages_after_build(root, DEMO_PRESET, options),
    )
    settings = {"images": images, "minutes": minutes, "counts": list(counts)}
    run_stages(root, settings, stages, closing=CLOSING)


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
