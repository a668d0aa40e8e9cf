"""The index of a split: every record is found by its row, damage is named, caches are bound."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.data_sets import write_records
from tests.files import flip_bit
from tfrecords_tools.errors import InputError
from tfrecords_tools.records import writer
from tfrecords_tools.records.reader import read_info, read_records
from tfrecords_tools.records.record_index import index_records, load_index, save_index
from tfrecords_tools.records.schema import Record, parse_record


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A data set of 23 records of different lengths in several shards."""
    directory = tmp_path_factory.mktemp("index") / "data"
    records = [
        Record(b"x" * (7 * number), number % 2, f"i{number}", f"g{number}") for number in range(23)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SHARD_BYTES", 700)
        return write_records(directory, {"train": records, "test": records[:2]})


def test_every_row_is_the_record_of_its_place(sharded):
    index = index_records(sharded, "train")
    records = list(read_records(sharded, "train"))
    assert len(read_info(sharded).splits["train"].shards) >= 3
    assert [index.read(row) for row in range(len(index))] == records
    np.testing.assert_array_equal(index.label, [parse_record(r).label for r in records])


def test_an_index_comes_back_from_its_file(sharded, tmp_path):
    index = index_records(sharded, "train")
    save_index(index, tmp_path / "index.npz", "f" * 64)
    again = load_index(tmp_path / "index.npz", sharded, "train", "f" * 64)
    assert again is not None
    assert [again.read(row) for row in (22, 0, 7)] == [index.read(row) for row in (22, 0, 7)]
    np.testing.assert_array_equal(again.label, index.label)


def test_an_index_of_other_data_or_a_damaged_one_counts_as_none(sharded, tmp_path):
    file = tmp_path / "index.npz"
    assert load_index(file, sharded, "train", "f" * 64) is None
    save_index(index_records(sharded, "train"), file, "f" * 64)
    assert load_index(file, sharded, "train", "0" * 64) is None
    assert load_index(file, sharded, "test", "f" * 64) is None
    whole = file.read_bytes()
    for damaged in (b"", whole[:100], b"no zip file at all"):
        file.write_bytes(damaged)
        assert load_index(file, sharded, "train", "f" * 64) is None


def test_a_damaged_record_is_named(sharded, tmp_path):
    copy = shutil.copytree(sharded, tmp_path / "data")
    index = index_records(copy, "train")
    last = len(index) - 1
    shard = index.shards[index.shard[last]]
    flip_bit(shard, index.offset[last] + 20)
    with pytest.raises(InputError, match=r"the record at byte [\d,]+ cannot be read.*checksum"):
        index.read(last)
    shard.unlink()
    with pytest.raises(InputError, match="No such file"):
        index.read(last)


def test_a_split_that_is_not_there_is_named(sharded):
    with pytest.raises(InputError, match="no split 'validation'; it has train, test"):
        index_records(sharded, "validation")
