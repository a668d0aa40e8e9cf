"""TFRecord files: the same bytes as TensorFlow's, and every damage found."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import pytest
import tensorflow as tf

from tests.files import flip_bit
from tfrecords_tools.records.schema import Record, parse_record, record_pieces
from tfrecords_tools.records.tfrecord import (
    READ_BUFFER,
    DamagedRecord,
    RecordWriter,
    _masked,
    read_all,
    read_at,
    read_file,
)

RECORDS = [b"first", b"", b"\0" * 100, bytes(range(256))]


@pytest.fixture
def file(tmp_path):
    """A file of `RECORDS`, and where each begins."""
    path = tmp_path / "x.tfrecord"
    with RecordWriter(path) as writer:
        offsets = [writer.write(record) for record in RECORDS]
    assert writer.length == len(RECORDS)
    assert writer.num_bytes == sum(map(len, RECORDS))
    return path, offsets


def test_tensorflow_writes_the_same_bytes(file, tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "expected")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert file[0].read_bytes() == (tmp_path / "expected").read_bytes()


def test_it_comes_back(file):
    path, offsets = file
    assert list(read_file(path)) == list(read_all(path)) == RECORDS
    assert [read_at(path, offset) for offset in offsets] == RECORDS


def test_record_in_pieces(tmp_path):
    with RecordWriter(tmp_path / "x") as writer:
        offsets = [writer.write(b"one", b"", b"two"), writer.write(), writer.write(b"three")]
    assert list(read_file(tmp_path / "x")) == [b"onetwo", b"", b"three"]
    assert (writer.length, writer.num_bytes) == (3, 11)
    assert read_at(tmp_path / "x", offsets[2]) == b"three"


@pytest.mark.parametrize("count", [1021, 1022, 1023, 1024, 5000])
def test_record_of_more_pieces_than_the_system_takes(count, tmp_path):
    pieces = [b"%d" % number for number in range(count)]
    with RecordWriter(tmp_path / "x") as writer:
        offsets = [writer.write(*pieces), writer.write(b"next")]
    assert list(read_file(tmp_path / "x")) == [b"".join(pieces), b"next"]
    assert read_at(tmp_path / "x", offsets[1]) == b"next"


def test_record_of_many_extra_columns(tmp_path):
    extras = {f"column_{number}": number for number in range(300)}
    record = Record(b"image", 1, "id", "group", extras=extras)
    with RecordWriter(tmp_path / "x") as writer:
        writer.write(*record_pieces(record))
    assert [parse_record(found) for found in read_file(tmp_path / "x")] == [record]


def test_writer_whose_system_takes_little_at_a_time(tmp_path, monkeypatch):
    writev = os.writev
    monkeypatch.setattr("os.writev", lambda handle, pieces: writev(handle, [pieces[0][:5]]))
    with RecordWriter(tmp_path / "x") as writer:
        for record in RECORDS:
            writer.write(record)
    assert list(read_file(tmp_path / "x")) == RECORDS


def test_every_flipped_bit_is_found(file):
    path, _ = file
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        found = list(read_all(path))
        assert any(isinstance(record, DamagedRecord) for record in found), position
        with pytest.raises(DamagedRecord):
            list(read_file(path))


def test_every_cut_within_a_record_is_found(file):
    path, offsets = file
    content = path.read_bytes()
    for length in range(1, len(content)):
        path.write_bytes(content[:length])
        damaged = [r for r in read_all(path) if isinstance(r, DamagedRecord)]
        if length in offsets:  # a shorter file: only the number of records shows it
            assert not damaged
        else:
            assert [record.number for record in damaged] == [sum(o < length for o in offsets) - 1]
            assert "the file ends within" in damaged[0].why


def test_wrong_checksum_of_one_record_does_not_hide_the_next(file):
    path, offsets = file
    flip_bit(path, offsets[2] + 20, 2)
    found = list(read_all(path))
    assert found[:2] + found[3:] == RECORDS[:2] + RECORDS[3:]
    assert (found[2].number, len(found[2].record)) == (2, len(RECORDS[2]))
    with pytest.raises(DamagedRecord, match="record 2 is damaged: its checksum is wrong"):
        list(read_file(path))


def test_wrong_length_ends_the_reading(file):
    path, offsets = file
    flip_bit(path, offsets[1])
    first, damaged = read_all(path)
    assert (first, damaged.number, damaged.record) == (RECORDS[0], 1, None)
    with pytest.raises(DamagedRecord):
        read_at(path, offsets[1])


@pytest.mark.parametrize("promised", [7, 2**20, 2**45, 2**63, 2**64 - 1])
def test_a_length_beyond_the_file_takes_no_memory(tmp_path, promised):
    """The checksum of the length is right, as in a forged file."""
    length = struct.pack("<Q", promised)
    head = length + struct.pack("<I", _masked(length))
    (tmp_path / "x").write_bytes(head + b"record")
    tracemalloc.start()
    [damaged] = read_all(tmp_path / "x")
    assert tracemalloc.get_traced_memory()[1] < 2 * READ_BUFFER
    tracemalloc.stop()
    assert damaged.why == f"the file ends within it, {promised:,} bytes were promised"
    with pytest.raises(DamagedRecord, match="bytes were promised"):
        read_at(tmp_path / "x", 0)


def test_empty_file(tmp_path):
    (tmp_path / "x").touch()
    assert list(read_file(tmp_path / "x")) == []


def test_full_disk_shows_at_once():
    with RecordWriter(Path("/dev/full")) as writer, pytest.raises(OSError, match="No space left"):
        writer.write(b"record")


def test_offset_behind_the_end(file):
    path, _ = file
    with pytest.raises(DamagedRecord, match="the file ends within its head"):
        read_at(path, path.stat().st_size)


def test_second_handle_outlives_the_writer(tmp_path):
    with RecordWriter(tmp_path / "x") as writer:
        writer.write(b"one")
        handle = writer.duplicate_handle()
    with open(handle, "rb") as opened:
        assert os.fstat(opened.fileno()).st_size == (tmp_path / "x").stat().st_size
