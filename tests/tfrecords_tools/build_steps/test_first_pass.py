"""The spool: records on disk as they are read, and what is remembered of each image."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tfrecords_tools.conftest import noise
from tfrecords_tools.build_steps import contact_sheets
from tfrecords_tools.build_steps.first_pass import Spool
from tfrecords_tools.build_steps.kept_splits import KeptSplits
from tfrecords_tools.build_steps.plan import Planner
from tfrecords_tools.build_steps.threads import ThreadRunner
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.records.schema import parse_record
from tfrecords_tools.records.tfrecord import read_at
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


def filled(directory: Path, source: Source, *, workers: int = 2, seed: int = 0, **options):
    directory.mkdir()
    plan = Planner(source, SHARES, seed, KeptSplits()).plan(range(len(source.records)), {})
    spool = Spool(directory, source, ImageOptions(**options), ThreadRunner(workers), plan)
    spool.fill()
    return spool, plan


def test_records_lie_where_members_say(source, tmp_path):
    spool, plan = filled(tmp_path / "spool", source)
    broken = next(r for r, record in enumerate(source.records) if record.file == "nv/00.png")
    assert [rejection.file for rejection in spool.rejections] == ["nv/00.png"]
    assert np.flatnonzero(~spool.traces.good).tolist() == [broken]
    good = {split: [r for r in rows if r != broken] for split, rows in plan.members.items()}
    plan = dataclasses.replace(plan, members=good)
    for split, rows in good.items():
        for row, member in zip(rows, spool.members(plan, split), strict=True):
            serialized = read_at(tmp_path / "spool" / member.place.file, member.place.offset)
            record = parse_record(serialized)
            assert record.image_id == source.records[row].image_id
            assert record.image == (source.root / source.records[row].file).read_bytes()
            assert (record.label, record.group) == (member.label, member.group)
            assert member.length == len(serialized)
            assert not member.changed


def test_members_tell_what_changed(source, tmp_path):
    spool, plan = filled(tmp_path / "spool", source)
    one, other = (source.records[row].group for row in plan.members["train"][:2])
    joined = dataclasses.replace(plan, joined={other: one})
    changed = [member.group for member in spool.members(joined, "train") if member.changed]
    assert changed == [one]
    fewer = dataclasses.replace(plan, class_names=("aaa", "mel", "nv"))
    assert all(member.changed for member in spool.members(fewer, "test"))


def test_shards_are_those_of_the_expected_plan_only(source, tmp_path):
    spool, plan = filled(tmp_path / "spool", source)
    for other in (
        dataclasses.replace(plan, class_names=("nv", "mel")),
        dataclasses.replace(plan, members=dict(plan.members, test=plan.members["test"][1:])),
        dataclasses.replace(plan, joined={source.records[0].group: "x"}),
    ):
        assert spool.as_shards(other, "x") is None
    written = spool.as_shards(plan, "x")
    assert sum(sum(split.shard_lengths) for split in written.values()) == 2 * COUNT - 1
    assert {path.name for path in (tmp_path / "spool").iterdir()} == {
        "x-train.tfrecord-00000-of-00001",
        "x-test.tfrecord-00000-of-00001",
    }


def test_nothing_is_left_when_it_is_discarded(source, tmp_path):
    spool, _ = filled(tmp_path / "spool", source)
    assert any((tmp_path / "spool").iterdir())
    spool.discard()
    assert not list((tmp_path / "spool").iterdir())


def test_a_few_thumbnails_of_each_class(source, tmp_path):
    spool, _ = filled(tmp_path / "spool", source)
    shown = [source.records[row].label for row in spool.thumbnails]
    assert COUNT > contact_sheets.IMAGES
    assert shown.count("mel") == contact_sheets.IMAGES
    assert contact_sheets.IMAGES - 1 <= shown.count("nv") <= contact_sheets.IMAGES
    side = contact_sheets.SIDE
    assert {thumbnail.shape for thumbnail in spool.thumbnails.values()} == {(side, side, 3)}


def test_fingerprint_is_of_the_input_alone(source, tmp_path):
    one, _ = filled(tmp_path / "one", source)
    other, _ = filled(tmp_path / "other", source, workers=1, seed=3, size=16)
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 64
    Image.fromarray(noise(7)).save(source.root / "mel" / "03.png")
    third, _ = filled(tmp_path / "third", source)
    assert third.fingerprint != one.fingerprint


def test_images_that_are_re_encoded_are_counted(source, tmp_path):
    Image.fromarray(noise(7)).save(source.root / "mel" / "03.png", "BMP")
    kept, _ = filled(tmp_path / "kept", source)
    assert kept.re_encoded == 1
    resized, _ = filled(tmp_path / "resized", source, size=16)
    assert resized.re_encoded == 2 * COUNT - 1


def test_image_that_changes_while_the_build_runs(source, tmp_path):
    spool, _ = filled(tmp_path / "spool", source)
    assert len(set(spool.pixels_hashes([0, 1, 2]))) == 3
    (source.root / source.records[1].file).unlink()
    with pytest.raises(InputError, match="an image changed or went while the build ran"):
        list(spool.greys([0, 1, 2]))
