"""Candidates: drawn in the order of their seeds, bounded, and remembered."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from skin_synth.provenance import pixels_sha256
from skin_synth.synthesis.candidates import (
    CHUNK,
    PATIENCE,
    SEEDS_OF_A_CLASS,
    START,
    Drawer,
    WorkDirectory,
)
from tfrecords_tools.errors import InputError


def drawer(painter, training, tmp_path, *, seed=0):
    work = WorkDirectory(tmp_path / "out")
    work.open({"seed": seed})
    return Drawer(painter, training, None, work, seed=seed, truncation=1.0)


def test_no_image_that_nobody_wants_is_counted(painter, training, tmp_path):
    honest = dataclasses.replace(painter, tricks=False)
    drawing = drawer(honest, training, tmp_path, seed=7).draw(2, 5)
    assert drawing.kept == 5
    assert drawing.outcomes.total() == 5
    first = 7 + 2 * SEEDS_OF_A_CLASS
    assert drawing.chunks[0].seeds.tolist() == [first, first + 1, first + 2, first + 3, first + 4]
    np.testing.assert_array_equal(drawing.images[3], honest.paint(2, first + 3))


def test_nothing_wanted_draws_nothing(painter, training, tmp_path):
    drawing = drawer(painter, training, tmp_path).draw(0, 0)
    assert (drawing.chunks, drawing.kept) == ((), 0)


def test_a_painter_that_repeats_itself_is_given_up(training, painter, tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    monkeypatch.setattr(
        type(painter), "generate", lambda self, ids, seeds, **_: images[np.asarray(seeds) % 9]
    )
    drawing = drawer(painter, training, tmp_path).draw(1, 1000)
    assert drawing.kept == 9
    limit = START + 9 * PATIENCE
    assert limit <= drawing.outcomes.total() < limit + CHUNK
    assert len({pixels_sha256(image) for image in drawing.images}) == 9


def test_what_was_drawn_is_read_back(painter, training, tmp_path, monkeypatch):
    first = drawer(painter, training, tmp_path).draw(3, 4)
    monkeypatch.delattr(type(painter), "generate")
    again = drawer(painter, training, tmp_path).draw(3, 4)
    for before, after in zip(first.chunks, again.chunks, strict=True):
        assert before.outcome == after.outcome
        for name in ("seeds", "nearest", "distance", "probability", "realism", "images"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_another_key_clears_the_work(tmp_path):
    work = WorkDirectory(tmp_path / "out")
    work.open({"seed": 1})
    work.chunk(0, 0).write_bytes(b"old")
    work.open({"seed": 1})
    assert work.chunk(0, 0).exists()
    work.open({"seed": 2})
    assert not work.chunk(0, 0).exists()
    assert work.path.name.startswith("."), "half-done work is hidden"
    work.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_of_other_work_is_drawn_anew(painter, training, tmp_path):
    honest = dataclasses.replace(painter, tricks=False)
    ours = drawer(honest, training, tmp_path)
    other = drawer(honest, training, tmp_path / "elsewhere", seed=1)
    other.draw(0, 4)
    ours.work.chunk(0, 0).write_bytes(other.work.chunk(0, 0).read_bytes())
    drawing = ours.draw(0, 4)
    assert drawing.chunks[0].seeds.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(drawing.images[0], honest.paint(0, 0))


def test_work_is_held_by_one_and_leaves_no_lock(tmp_path):
    work = WorkDirectory(tmp_path / "out")
    told = rf"out is in use by process {os.getpid()}, which balances it: .* another --out"
    with work.held(), pytest.raises(InputError, match=told):
        WorkDirectory(tmp_path / "out").held().__enter__()
    assert list(tmp_path.iterdir()) == []


def test_work_that_has_begun_is_not_empty(tmp_path):
    work = WorkDirectory(tmp_path / "out")
    work.open({"seed": 1})
    work.chunk(0, 0).write_bytes(b"done")
    work.remove_if_empty()
    assert work.chunk(0, 0).exists()
    work.chunk(0, 0).unlink()
    work.remove_if_empty()
    assert list(tmp_path.iterdir()) == []
