"""Inspect describes the content of a data set."""

from __future__ import annotations

import json

import pytest

from tests.data_sets import write_records
from tests.images import noise
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.inspector import inspect
from tfrecords_tools.records.schema import BUILD_REPORT, ORIGIN_SYNTHETIC, Column, Record

ALIKE = "images of different splits that look the same"
CUT_SHORT = "there may be more, because the search was cut short"


def test_table_of_a_build(small_data):
    lines = inspect(small_data)
    assert lines[0] == "small: 32 images 16x16 pixels (32 real), 2 classes"
    assert lines[1].startswith("3 shards, 0.0 MiB")
    assert [line.split() for line in lines[3:8]] == [
        ["class", "train", "validation", "test", "all"],
        ["melanoma", "6", "1", "1", "8"],
        ["naevus", "17", "4", "3", "24"],
        ["all", "23", "5", "4", "32"],
        ["groups", "23", "5", "4", "32"],
    ]
    assert len({len(line) for line in lines[3:8]}) == 1
    text = "\n".join(lines[8:])
    assert "rejected files: 0" in text
    assert "size 16, resize crop" in text
    assert "splits train=7/10 validation=3/20 test=3/20" in text
    assert "images of different splits that look the same: 0" in text
    assert json.loads((small_data / BUILD_REPORT).read_text())["input_fingerprint"] in text


def test_origins_groups_and_sizes(tmp_path):
    origins = ["real"] * 4 + [ORIGIN_SYNTHETIC]
    records = [
        Record(encode_png(noise(n, 8 + n, 9)), 0, str(n), str(n // 2), origin)
        for n, origin in enumerate(origins)
    ]
    fields = {"class_names": ("nv", "never met"), "image_shape": (None, None, 3)}
    lines = inspect(write_records(tmp_path / "data", {"train": records}, **fields))
    assert lines[0] == "x: 5 images of several sizes (4 real, 1 synthetic), 2 classes"
    assert lines[5].split() == ["never", "met", "0", "0"]
    assert lines[7].split() == ["groups", "3", "3"]
    assert lines[8].split() == ["synthetic", "1", "1"]
    assert lines[-1] == "no build_report.json: not built by tfrecords-tools build"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"rejected": 3, "rejected_by_reason": {"duplicate": 2, "empty": 1}},
            "rejected files: 3 (2 duplicate, 1 empty)",
        ),
        ({"near_duplicates": 3}, f"{ALIKE}: 3 pairs, see near_duplicates.csv"),
        (
            {"findings": [{"kind": "x", "text": "something", "trap": False}]},
            "finding: something",
        ),
        ({"near_duplicates_cut_short": True}, f"{ALIKE}: 0; {CUT_SHORT}"),
        (
            {"near_duplicates": 3, "near_duplicates_cut_short": True},
            f"{ALIKE}: 3 pairs, see near_duplicates.csv; {CUT_SHORT}",
        ),
    ],
)
def test_lines_of_the_report(changes, line, damageable):
    path = damageable / BUILD_REPORT
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert line in inspect(damageable)


def test_extra_columns_and_what_they_lack(tmp_path):
    extra = (Column("age", "float"), Column("count", "int"), Column("site", "text"))
    values = [(50.0, 3, "back"), (float("nan"), -1, ""), (0.0, 0, ""), (float("nan"), 7, "")]
    records = [
        Record(
            *(encode_png(noise(number)), number % 2, str(number), str(number)),
            extras=dict(zip(("age", "count", "site"), extras, strict=True)),
        )
        for number, extras in enumerate(values)
    ]
    fields = {"image_shape": (24, 32, 3), "columns": extra}
    write_records(tmp_path / "data", {"train": records}, **fields)
    columns = "age (float, 2 missing), count (int, 1 missing), site (text, 3 missing)"
    lines = inspect(tmp_path / "data")
    assert f"extra columns: {columns}" in lines
    assert lines[0].startswith("x: 4 images 32x24 pixels")


@pytest.mark.parametrize("content", ["{", "[]", '{"options": 3}', '{"findings": [3]}'])
def test_damaged_report(content, damageable):
    (damageable / BUILD_REPORT).write_text(content)
    with pytest.raises(InputError, match=r"build_report\.json is damaged"):
        inspect(damageable)
