"""Data set directories that TFDS reads, whole or not at all, the same bytes every time."""

from __future__ import annotations

import errno
import math
import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from tests.files import contents
from tests.images import noise
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records import writer
from tfrecords_tools.records.reader import read, read_records
from tfrecords_tools.records.schema import ORIGIN_SYNTHETIC, Column, Record, serialize_record
from tfrecords_tools.records.tfrecord import read_at
from tfrecords_tools.records.writer import ShardedSplit, SplitWriter, write_dataset

CLASS_NAMES = ("mélanome", "nævus, atypical")


def records(first: int, count: int) -> list[bytes]:
    return [
        serialize_record(
            Record(
                image=encode_png(noise(number, 16, 12)),
                label=number % 2,
                image_id=f"image {number}",
                group=f"g{number // 2}",
                origin="real" if number % 3 else ORIGIN_SYNTHETIC,
            )
        )
        for number in range(first, first + count)
    ]


def write(directory: Path, **changes):
    fields = {
        "name": "small",
        "class_names": CLASS_NAMES,
        "image_shape": (16, 12, 3),
        "splits": {"train": records(0, 7), "test": records(7, 2)},
    }
    return write_dataset(directory, **(fields | changes))


@pytest.fixture
def failing_disk(monkeypatch):
    def fail(handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)


def test_info_describes_the_written_records(tmp_path):
    info = write(tmp_path / "out")
    assert (info.name, info.class_names) == ("small", CLASS_NAMES)
    assert info.image_shape == (16, 12, 3)
    counts = {split: files.num_records for split, files in info.splits.items()}
    assert counts == {"train": 7, "test": 2}
    assert list(read_records(tmp_path / "out", "test")) == records(7, 2)


@pytest.mark.parametrize("shape", [(16, 12, 3), (None, None, 3)])
def test_tfds_reads_it(shape, tmp_path):
    import tensorflow_datasets as tfds

    write(tmp_path / "out", image_shape=shape, image_format=None if shape[0] is None else "png")
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.features["label"].names == list(CLASS_NAMES)
    assert builder.info.features["image"].shape == shape
    counts = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert counts == {"train": 7, "test": 2}
    rows = list(builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator())
    assert [row["image_id"].decode() for row in rows] == [f"image {n}" for n in range(7)]
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(row["image"], noise(number, 16, 12))
        assert row["label"] == number % 2
        assert row["group"].decode() == f"g{number // 2}"
        assert row["origin"] == (b"real" if number % 3 else b"synthetic")


def test_tfds_reads_extra_columns(tmp_path):
    import tensorflow_datasets as tfds

    columns = (Column("age", "float"), Column("site"), Column("n", "int"))
    extras = [{"age": 45.5, "site": "à l'œil", "n": 3}, {"age": math.nan, "site": "", "n": -1}]
    images = [encode_png(noise(number, 16, 12)) for number in range(2)]
    rows = [Record(images[i], i, f"i{i}", "g", extras=extras[i]) for i in range(2)]
    info = write(tmp_path / "out", columns=columns, splits={"train": map(serialize_record, rows)})
    assert set(info.columns) == set(columns)
    assert [record.extras["site"] for record in read(tmp_path / "out", "train")] == ["à l'œil", ""]
    dataset = tfds.builder_from_directory(tmp_path / "out").as_dataset(split="train")
    one, other = tfds.as_numpy(dataset.take(2))
    assert (one["age"], one["site"].decode(), one["n"]) == (45.5, "à l'œil", 3)
    assert (one["age"].dtype, one["n"].dtype) == (np.float32, np.int64)
    assert math.isnan(other["age"])
    assert (other["site"], other["n"]) == (b"", -1)


def test_tfds_gives_pairs_of_image_and_label(tmp_path):
    import tensorflow_datasets as tfds

    write(tmp_path / "out")
    builder = tfds.builder_from_directory(tmp_path / "out")
    pairs = list(builder.as_dataset(split="train", as_supervised=True).as_numpy_iterator())
    assert [label for _, label in pairs] == [number % 2 for number in range(7)]
    np.testing.assert_array_equal(pairs[3][0], noise(3, 16, 12))


def test_many_shards(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(writer, "SHARD_BYTES", 1500)
    info = write(tmp_path / "out", splits={"train": records(0, 7)})
    files = info.splits["train"]
    assert len(files.shards) > 2
    assert sum(files.shard_lengths) == 7
    assert [shard.name for shard in files.shards] == [
        f"small-train.tfrecord-{n:05d}-of-{len(files.shards):05d}" for n in range(len(files.shards))
    ]
    assert list(read_records(tmp_path / "out", "train")) == records(0, 7)
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert len(list(builder.as_dataset(split="train"))) == 7


def test_same_input_same_bytes_anywhere(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "elsewhere" / "two", splits={"test": records(7, 2), "train": records(0, 7)})
    assert contents(tmp_path / "one") == contents(tmp_path / "elsewhere" / "two")


def test_empty_split_is_left_out(tmp_path):
    info = write(tmp_path / "out", splits={"train": records(0, 2), "validation": iter(())})
    assert list(info.splits) == ["train"]
    assert not [path for path in (tmp_path / "out").iterdir() if "validation" in path.name]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "no record to write"),
        ({"train": []}, "no record to write"),
        ({"dev": [b""]}, r"unknown splits \['dev'\]; there are train, validation, test"),
    ],
)
def test_nothing_to_write(splits, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "out", splits=splits)
    assert not list(tmp_path.iterdir())


def test_existing_directory(tmp_path):
    write(tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match="exists already"):
        write(tmp_path / "out", splits={"train": records(0, 1)})
    assert contents(tmp_path / "out") == before
    info = write(tmp_path / "out", splits={"train": records(0, 1)}, overwrite=True)
    assert list(info.splits) == ["train"]


@pytest.mark.parametrize("disk_fails", [False, True])
def test_failing_input_leaves_nothing_and_its_error_comes_first(disk_fails, tmp_path, request):
    def broken():
        yield from records(0, 3)
        raise RuntimeError("no more")

    if disk_fails:
        request.getfixturevalue("failing_disk")
    with pytest.raises(RuntimeError, match="no more"):
        write(tmp_path / "out", splits={"train": broken()})
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("failing_disk")
def test_disk_that_fails_while_it_is_flushed(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_flushing_begins_before_a_shard_is_full(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(writer, "FLUSH_BYTES", 100)
    monkeypatch.setattr(os, "fdatasync", flushed.append)
    with SplitWriter(tmp_path, "train") as split:
        places = [split.write(bytes(60)) for _ in range(10)]
    assert len(flushed) == 6
    assert {place.file for place in places} == {"train.0.part"}
    assert split.name_shards("x") == ShardedSplit((10,), 600)
    assert [path.name for path in tmp_path.iterdir()] == ["x-train.tfrecord-00000-of-00001"]


def test_disk_that_fills_up(tmp_path, monkeypatch):
    writev, calls = os.writev, []

    def fill_up(handle, pieces):
        calls.append(handle)
        if len(calls) == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return writev(handle, pieces)

    monkeypatch.setattr(os, "writev", fill_up)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write(tmp_path / "out")
    assert len(calls) == 5
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", [False, True])
def test_no_file_stays_open(failing, tmp_path, monkeypatch, request):
    monkeypatch.setattr(writer, "SHARD_BYTES", 100)
    if failing:
        request.getfixturevalue("failing_disk")
    before = set(os.listdir("/proc/self/fd"))
    with (
        pytest.raises(OSError, match=os.strerror(errno.EIO)) if failing else nullcontext(),
        SplitWriter(tmp_path, "train") as split,
    ):
        places = [split.write(bytes(60)) for _ in range(9)]
    assert len({place.file for place in places}) == 5
    assert set(os.listdir("/proc/self/fd")) <= before


def test_write_returns_the_position_of_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_BYTES", 100)
    contents = [bytes([number]) * 40 for number in range(7)]
    with SplitWriter(tmp_path, "train") as split:
        places = [split.write(content[:7], content[7:]) for content in contents]
    assert [read_at(tmp_path / place.file, place.offset) for place in places] == contents
    assert split.name_shards("x") == ShardedSplit((3, 3, 1), 280)
