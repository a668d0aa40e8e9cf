"""A source of noise with one broken file, and a first pass over it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests.images import noise
from tfrecords_tools.build_steps.first_pass import ImageFacts, read_images
from tfrecords_tools.build_steps.kept_splits import KeptSplits
from tfrecords_tools.build_steps.plan import Plan, Planner
from tfrecords_tools.build_steps.runners import ThreadRunner
from tfrecords_tools.build_steps.spool import Spool
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.sources.folders import from_class_folders
from tfrecords_tools.sources.listing import Source

COUNT = 30
SHARES = {"train": Fraction(1, 2), "test": Fraction(1, 2)}


@pytest.fixture
def source(tmp_path) -> Source:
    """Two classes of `COUNT` images; the first naevus is broken."""
    for number, label in enumerate(("mel", "nv")):
        (tmp_path / "images" / label).mkdir(parents=True)
        for index in range(COUNT):
            image = Image.fromarray(noise(100 * number + index))
            image.save(tmp_path / "images" / label / f"{index:02d}.png")
    (tmp_path / "images" / "nv" / "00.png").write_bytes(b"")
    return from_class_folders(tmp_path / "images")


def first_pass(
    directory: Path, source: Source, *, workers: int = 2, seed: int = 0, **options
) -> tuple[ImageFacts, Spool, Plan]:
    directory.mkdir()
    plan = Planner(source, SHARES, seed, KeptSplits()).plan(range(len(source.records)), {})
    with Spool(directory, source.records, plan) as spool:
        runner = ThreadRunner(workers)
        facts = read_images(source, ImageOptions(**options), runner, spool, plan)
    return facts, spool, plan
