"""Shards written from records in other files."""

from __future__ import annotations

import dataclasses

import pytest

from tfrecords_tools.build_steps import second_pass as shards
from tfrecords_tools.build_steps.second_pass import Member, Shard, divide, write_shard
from tfrecords_tools.records.schema import Record, parse_record, serialize_record
from tfrecords_tools.records.tfrecord import DamagedRecord, RecordWriter, read_file
from tfrecords_tools.records.writer import Place


def spooled(directory, count: int) -> list[Member]:
    """Records in a file, as members that nothing changes."""
    members = []
    with RecordWriter(directory / "spool") as writer:
        for number in range(count):
            record = serialize_record(Record(bytes(number), number, f"i{number}", f"g{number}"))
            place = Place("spool", writer.write(record))
            members.append(Member(place, len(record), number, f"g{number}", changed=False))
    return members


def test_members_are_divided_once_a_shard_is_full(tmp_path, monkeypatch):
    members = spooled(tmp_path, 10)
    monkeypatch.setattr(shards, "SHARD_BYTES", sum(member.length for member in members[:4]))
    parts = list(divide(members))
    assert [member for part in parts for member in part] == members
    assert len(parts[0]) == 4
    assert len(parts) == 3
    assert list(divide([])) == []


def test_records_keep_their_bytes_or_get_label_and_group(tmp_path):
    members = spooled(tmp_path, 3)[::-1]
    members[1] = Member(members[1].place, members[1].length, 9, "joined", changed=True)
    num_bytes = write_shard(Shard("train", "x", tuple(members)), directory=tmp_path)
    found = [parse_record(record) for record in read_file(tmp_path / "x")]
    assert [(r.image_id, r.label, r.group) for r in found] == [
        ("i2", 2, "g2"),
        ("i1", 9, "joined"),
        ("i0", 0, "g0"),
    ]
    assert num_bytes == sum(map(len, read_file(tmp_path / "x")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spool", "x"]


def test_spool_that_was_damaged_makes_no_shard(tmp_path):
    members = spooled(tmp_path, 2)
    content = bytearray((tmp_path / "spool").read_bytes())
    content[-6] ^= 1
    (tmp_path / "spool").write_bytes(content)
    with pytest.raises(DamagedRecord):
        write_shard(Shard("train", "x", tuple(members)), directory=tmp_path)
    assert not (tmp_path / "x").exists()


def test_record_larger_than_a_shard_has_one_to_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)
    members = spooled(tmp_path, 3)
    assert list(divide(members)) == [(member,) for member in members]


def test_changed_record_keeps_all_else(tmp_path):
    record = Record(b"image", 1, "i", "g", "synthetic", {"age": 45.5, "n": -1, "site": "à"})
    with RecordWriter(tmp_path / "spool") as writer:
        place = Place("spool", writer.write(serialize_record(record)))
    member = Member(place, writer.num_bytes, 0, "h", changed=True)
    write_shard(Shard("test", "x", (member,)), directory=tmp_path)
    (found,) = map(parse_record, read_file(tmp_path / "x"))
    assert found == dataclasses.replace(record, label=0, group="h")


def test_unchanged_record_is_not_even_parsed(tmp_path):
    with RecordWriter(tmp_path / "spool") as writer:
        place = Place("spool", writer.write(b"\xff no Example"))
    member = Member(place, writer.num_bytes, 0, "g", changed=False)
    write_shard(Shard("test", "x", (member,)), directory=tmp_path)
    assert list(read_file(tmp_path / "x")) == [b"\xff no Example"]
