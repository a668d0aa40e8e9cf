"""Equal pictures: kept once, in conflict, or a reason to join groups."""

from __future__ import annotations

from pathlib import Path

from tfrecords_tools.duplicates import settle
from tfrecords_tools.sources import ImageRecord


def image(name: str, label: str = "nv", group: str | None = None) -> ImageRecord:
    return ImageRecord(Path(name), f"{name}.png", name, label, group or name)


def reasons(settled) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in settled.rejections}


def test_different_pictures_stay():
    records = (image("a"), image("b", group="lesion"))
    settled = settle(records, {"a": "1", "b": "2"})
    assert settled.records == records
    assert settled.rejections == ()
    assert settled.groups == {"a": "a", "b": "lesion"}


def test_copies_within_a_group_are_kept_once():
    records = [image(name, group="lesion") for name in "abc"]
    settled = settle(records, dict.fromkeys("abc", "same"))
    assert [record.image_id for record in settled.records] == ["a"]
    assert reasons(settled) == {"b.png": "duplicate", "c.png": "duplicate"}
    assert settled.rejections[0].detail == "the same pixels as a.png"


def test_one_picture_with_two_labels_goes():
    records = [image("a"), image("b", label="mel"), image("c")]
    settled = settle(records, {"a": "same", "b": "same", "c": "other"})
    assert [record.image_id for record in settled.records] == ["c"]
    assert reasons(settled) == {"a.png": "label_conflict", "b.png": "label_conflict"}
    assert "labels mel, nv: a.png, b.png" in settled.rejections[0].detail


def test_conflict_joins_no_groups():
    records = [image("a", "nv", "one"), image("b", "mel", "two"), image("c", "nv", "two")]
    settled = settle(records, {"a": "same", "b": "same", "c": "other"})
    assert settled.groups["c"] == "two"


def test_shared_picture_joins_groups_and_chains_of_groups():
    records = [
        image("a", group="g3"),
        image("b", group="g2"),
        image("c", group="g2"),
        image("d", group="g1"),
        image("e", group="g3"),
        image("f", group="g4"),
    ]
    pixels = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "z", "f": "w"}
    settled = settle(records, pixels)
    assert [record.image_id for record in settled.records] == ["a", "c", "e", "f"]
    kept = {record.image_id: settled.groups[record.image_id] for record in settled.records}
    assert kept == {"a": "g1", "c": "g1", "e": "g1", "f": "g4"}


def test_long_chain_of_groups():
    count = 500
    records = [
        image(f"{i:04d}{side}", group=f"g{i + (side == 'b'):04d}")
        for i in range(count)
        for side in "ab"
    ]
    settled = settle(records, {record.image_id: record.image_id[:4] for record in records})
    assert set(settled.groups.values()) == {"g0000"}
