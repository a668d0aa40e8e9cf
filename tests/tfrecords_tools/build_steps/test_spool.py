"""Spooled records: the place of each, and whether their files are the shards of a plan."""

from __future__ import annotations

import dataclasses

from tests.tfrecords_tools.build_steps.conftest import COUNT, first_pass
from tfrecords_tools.records.schema import parse_record
from tfrecords_tools.records.tfrecord import read_at


def test_records_are_at_their_places(source, tmp_path):
    facts, spool, plan = first_pass(tmp_path / "spool", source)
    good = {
        split: [row for row in rows if facts.hashes.good[row]]
        for split, rows in plan.members.items()
    }
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


def test_members_show_what_changed(source, tmp_path):
    _, spool, plan = first_pass(tmp_path / "spool", source)
    one, other = (source.records[row].group for row in plan.members["train"][:2])
    joined = dataclasses.replace(plan, joined={other: one})
    changed = [member.group for member in spool.members(joined, "train") if member.changed]
    assert changed == [one]
    more = dataclasses.replace(plan, class_names=("aaa", "mel", "nv"))
    assert all(member.changed for member in spool.members(more, "test"))


def test_files_are_shards_of_the_expected_plan_only(source, tmp_path):
    _, spool, plan = first_pass(tmp_path / "spool", source)
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
    _, spool, _ = first_pass(tmp_path / "spool", source)
    assert any((tmp_path / "spool").iterdir())
    spool.discard()
    assert not list((tmp_path / "spool").iterdir())
