"""Data set directories are read, and everything else is refused with a reason."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.data_sets import write_records
from tests.files import flip_bit
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint, read, read_info, read_records
from tfrecords_tools.records.schema import Column, Record, parse_record


def shard(directory, split="train"):
    return read_info(directory).splits[split].shards[0]


def test_info(small_data):
    info = read_info(str(small_data))
    assert info.name == "small"
    assert info.class_names == ("melanoma", "naevus")
    assert info.image_shape == (16, 16, 3)
    assert (info.columns, info.image_format) == ((), "png")
    assert list(info.splits) == ["train", "validation", "test"]
    assert sum(files.num_records for files in info.splits.values()) == 32
    assert all(path.is_file() for files in info.splits.values() for path in files.shards)


def test_records(small_data):
    for split, files in read_info(small_data).splits.items():
        records = [parse_record(record) for record in read_records(small_data, split)]
        assert len(records) == files.num_records
        assert {record.origin for record in records} == {"real"}


def test_unknown_split(small_data):
    with pytest.raises(InputError, match="no split 'dev'; it has train, validation, test"):
        list(read_records(small_data, "dev"))


def test_other_directory(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist: give a data set directory"):
        read_info(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"it has no dataset_info\.json.*tfrecords-tools build"):
        read_info(tmp_path)


@pytest.mark.parametrize("file", ["dataset_info.json", "features.json", "label.labels.txt"])
def test_file_that_is_not_there(file, damageable):
    (damageable / file).unlink()
    with pytest.raises(InputError, match=f"it has no {file}"):
        read_info(damageable)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("dataset_info.json", b"{"),
        ("dataset_info.json", b"[]"),
        ("dataset_info.json", b'{"name": "x"}'),
        ("dataset_info.json", b'{"name": "x", "splits": [{"name": "train"}]}'),
        ("features.json", b"{}"),
        ("features.json", b"\xff"),
        ("label.labels.txt", b"\xff\xfe"),
    ],
)
def test_damaged_metadata(file, content, damageable):
    (damageable / file).write_bytes(content)
    with pytest.raises(InputError, match="the metadata are damaged or foreign"):
        read_info(damageable)


def test_missing_shard(damageable):
    shard(damageable).unlink()
    with pytest.raises(InputError, match=r"shard .*small-train.* is missing"):
        list(read_records(damageable, "train"))
    with pytest.raises(InputError, match="is missing"):
        fingerprint(damageable)


@pytest.mark.parametrize("position", [0, 9, 40, -1])
def test_flipped_byte(position, damageable):
    path = shard(damageable)
    flip_bit(path, position)
    number = 0 if position >= 0 else read_info(damageable).splits["train"].num_records - 1
    with pytest.raises(InputError, match=rf"shard .*small-train.*: record {number} is damaged"):
        list(read_records(damageable, "train"))


def test_fingerprint_is_of_the_content(small_data, tmp_path):
    known = fingerprint(small_data)
    assert len(known) == 64
    assert int(known, 16)
    copy = shutil.copytree(small_data, tmp_path / "copy")
    assert fingerprint(copy) == known
    (copy / "build_report.json").unlink()
    assert fingerprint(copy) == known
    (copy / "label.labels.txt").write_text("naevus\nmelanoma\n")
    assert fingerprint(copy) != known


def test_fingerprint_sees_every_byte(damageable):
    known = fingerprint(damageable)
    flip_bit(shard(damageable, "test"), -1)
    assert fingerprint(damageable) != known


@pytest.fixture
def with_columns(tmp_path):
    """A data set of one record with columns, whose images may be JPEGs or PNGs."""
    columns = [Column("site"), Column("n", "int"), Column("age", "float")]
    fields = {"columns": columns, "image_shape": (None, None, 3), "image_format": None}
    return write_records(tmp_path / "out", {"test": [RECORD]}, **fields)


RECORD = Record(b"image", 1, "i", "g", extras={"age": 45.5, "n": 3, "site": "arm"})


def test_columns_and_images_of_any_size_and_format(with_columns):
    info = read_info(with_columns)
    assert info.columns == (Column("age", "float"), Column("n", "int"), Column("site", "text"))
    assert list(read(with_columns, "test")) == [RECORD]
    assert (info.image_shape, info.image_format) == ((None, None, 3), None)


def test_column_of_a_type_that_is_not_ours(with_columns):
    path = with_columns / "features.json"
    path.write_text(path.read_text().replace("float32", "float64"))
    with pytest.raises(InputError, match=r"damaged or foreign \(the dtype of age is 'float64'"):
        read_info(with_columns)


@pytest.mark.parametrize("more", [1, -1])
def test_metadata_that_promise_another_number(more, damageable):
    path = damageable / "dataset_info.json"
    info = json.loads(path.read_text())
    (test,) = (split for split in info["splits"] if split["name"] == "test")
    count = int(test["shardLengths"][0])
    test["shardLengths"][0] = str(count + more)
    path.write_text(json.dumps(info))
    message = f"has {count} records, the metadata promise {count + more}"
    with pytest.raises(InputError, match=message):
        list(read(damageable, "test"))
