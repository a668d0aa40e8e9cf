"""Candidates: drawn in the order of their seeds, bounded, and remembered."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from skin_synth.provenance import pixels_sha256
from skin_synth.synthesis.candidates import (
    CHUNK_SIZE,
    DRAWS_PER_KEPT_IMAGE,
    FREE_DRAWS,
    SEEDS_PER_CLASS,
    CandidateGenerator,
    WorkDirectory,
    seeds_per_class,
)
from skin_synth.synthesis.options import BalanceOptions
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress


def generator(fake_run, training, tmp_path, *, seed=0):
    work = WorkDirectory(tmp_path / "out")
    work.open({"seed": seed})
    return CandidateGenerator(fake_run, training, None, work, BalanceOptions(seed=seed))


def test_candidates_after_the_last_wanted_image_do_not_count(fake_run, training, tmp_path):
    honest = dataclasses.replace(fake_run, tricks=False)
    candidates = generator(honest, training, tmp_path, seed=7).generate(2, 5)
    assert candidates.kept == candidates.outcomes.total() == 5
    first = 7 + 2 * SEEDS_PER_CLASS
    assert candidates.chunks[0].seeds.tolist() == list(range(first, first + 5))
    np.testing.assert_array_equal(candidates.images[3], honest.draw(2, first + 3))


def test_progress_counts_each_chunk_and_names_the_class(fake_run, training, tmp_path):
    seen = []

    class Recorded(Progress):
        def update(self, count=1):
            super().update(count)
            seen.append((self.done, self.note))

    with Recorded(total=300, unit="images", description="generate") as progress:
        candidates = generator(fake_run, training, tmp_path).generate(2, 300, progress)
    assert len(seen) == len(candidates.chunks) > 1
    drawn = sum(len(chunk.seeds) for chunk in candidates.chunks)
    name = training.class_names[2]
    assert seen[-1] == (
        candidates.kept,
        f"{name}: {candidates.kept} of {drawn} candidates passed",
    )


def test_the_seeds_of_a_class_never_reach_those_of_the_next(fake_run, training, tmp_path):
    most = (SEEDS_PER_CLASS - FREE_DRAWS - CHUNK_SIZE) // DRAWS_PER_KEPT_IMAGE
    assert seeds_per_class([0, 5, most]) == SEEDS_PER_CLASS
    for wanted in (most + 1, 10 * most):
        farthest = FREE_DRAWS + DRAWS_PER_KEPT_IMAGE * wanted + CHUNK_SIZE
        assert seeds_per_class([3, wanted]) >= farthest
    assert seeds_per_class([]) == SEEDS_PER_CLASS
    honest = dataclasses.replace(fake_run, tricks=False)
    far = dataclasses.replace(generator(honest, training, tmp_path), seeds_per_class=2_000_000)
    assert far.generate(2, 1).chunks[0].seeds.tolist() == [4_000_000]


def test_nothing_wanted_draws_nothing(fake_run, training, tmp_path):
    candidates = generator(fake_run, training, tmp_path).generate(0, 0)
    assert (candidates.chunks, candidates.kept) == ((), 0)


def test_a_generator_that_repeats_itself_is_given_up(training, fake_run, tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    monkeypatch.setattr(
        type(fake_run), "generate", lambda self, ids, seeds, **_: images[np.asarray(seeds) % 9]
    )
    candidates = generator(fake_run, training, tmp_path).generate(1, 1000)
    assert candidates.kept == 9
    limit = FREE_DRAWS + 9 * DRAWS_PER_KEPT_IMAGE
    assert limit <= candidates.outcomes.total() < limit + CHUNK_SIZE
    assert len({pixels_sha256(image) for image in candidates.images}) == 9


def test_chunks_are_read_back(fake_run, training, tmp_path, monkeypatch):
    first = generator(fake_run, training, tmp_path).generate(3, 4)
    monkeypatch.delattr(type(fake_run), "generate")
    again = generator(fake_run, training, tmp_path).generate(3, 4)
    for before, after in zip(first.chunks, again.chunks, strict=True):
        assert before.outcome == after.outcome
        for name in ("seeds", "nearest", "distance", "probability", "realism"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    np.testing.assert_array_equal(first.images, again.images)


def test_images_are_on_the_disk_and_come_in_blocks(fake_run, training, tmp_path):
    honest = dataclasses.replace(fake_run, tricks=False)
    candidates = generator(honest, training, tmp_path).generate(0, 21)
    assert len(candidates.chunks) == len(candidates.files) >= 1
    assert sum(chunk.images.nbytes for chunk in candidates.chunks) == 0
    whole = candidates.images
    assert [len(block) for block in candidates.blocks(8)] == [8, 8, 5]
    for size in (1, 8, 21, 100):
        np.testing.assert_array_equal(np.concatenate(list(candidates.blocks(size))), whole)
    listed = [image.pixels for image in generator(honest, training, tmp_path).images(candidates)]
    np.testing.assert_array_equal(listed, whole)


def test_another_key_clears_the_work(tmp_path):
    work = WorkDirectory(tmp_path / "out")
    work.open({"seed": 1})
    work.chunk_file(0, 0).write_bytes(b"old")
    work.open({"seed": 1})
    assert work.chunk_file(0, 0).exists()
    work.open({"seed": 2})
    assert not work.chunk_file(0, 0).exists()
    assert work.path.name.startswith("."), "half-done work is hidden"
    work.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_of_other_work_is_drawn_again(fake_run, training, tmp_path):
    honest = dataclasses.replace(fake_run, tricks=False)
    candidate_generator = generator(honest, training, tmp_path)
    other = generator(honest, training, tmp_path / "elsewhere", seed=1)
    other.generate(0, 4)
    candidate_generator.work.chunk_file(0, 0).write_bytes(other.work.chunk_file(0, 0).read_bytes())
    candidates = candidate_generator.generate(0, 4)
    assert candidates.chunks[0].seeds.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(candidates.images[0], honest.draw(0, 0))


def test_work_is_held_by_one_and_leaves_no_lock(tmp_path):
    work = WorkDirectory(tmp_path / "out")
    message = rf"out is in use by process {os.getpid()}, which balances it: .* another --out"
    with work.held(), pytest.raises(InputError, match=message):
        WorkDirectory(tmp_path / "out").held().__enter__()
    assert list(tmp_path.iterdir()) == []


def test_work_that_has_begun_is_not_empty(tmp_path):
    work = WorkDirectory(tmp_path / "out")
    with work.held():
        work.open({"seed": 1})
        work.chunk_file(0, 0).write_bytes(b"done")
    assert work.chunk_file(0, 0).exists()
    with work.held():
        work.chunk_file(0, 0).unlink()
    assert list(tmp_path.iterdir()) == []
