"""Reads and writes TFRecord files.

Reasons: TensorFlow's writer takes eight times as long for a record of the size of a photograph, and
its reader does not say where a file is damaged. Tests check that both agree with this module.

Each record is: uint64 length, uint32 masked CRC-32C of the length, byte[length] record, uint32
masked CRC-32C of the record; all little-endian. Source: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from google_crc32c import extend as crc32c_extend

RECORD_HEADER = struct.Struct("<QI")
RECORD_FOOTER = struct.Struct("<I")
CRC_MASK = 0xA282EAD8
READ_BUFFER = 2**20
MAX_PIECES = 1024
"""Linux writes at most this many pieces at a time (IOV_MAX)."""


class DamagedRecord(Exception):
    """A record that cannot be read.

    Attributes:
        number: number of the record in its file, from 0.
        why: what is wrong.
        record: its bytes if only their checksum is wrong; None if its end is unknown, so that
            nothing after it can be read.
    """

    def __init__(self, number: int, why: str, record: bytes | None = None) -> None:
        super().__init__(f"record {number} is damaged: {why}")
        self.number = number
        self.why = why
        self.record = record


class RecordWriter:
    """Makes or empties a file and writes records to it; a context manager.

    Attributes:
        length: number of records so far.
        num_bytes: bytes of the records so far, without lengths and checksums.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = self.num_bytes = 0
        # Unbuffered, because records are large and an error of a full disk then comes at once.
        self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115
        self._offset = 0

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, *pieces: bytes) -> int:
        """Appends a record, given in pieces; returns its offset in the file."""
        start = self._offset
        num_bytes = sum(map(len, pieces))
        length = struct.pack("<Q", num_bytes)
        head = length + RECORD_FOOTER.pack(_masked(length))
        self._write([head, *pieces, RECORD_FOOTER.pack(_masked(*pieces))])
        self._offset += len(head) + num_bytes + RECORD_FOOTER.size
        self.length += 1
        self.num_bytes += num_bytes
        return start

    def _write(self, pieces: list[bytes]) -> None:
        """Writes pieces without joining them, unless they are too many."""
        if len(pieces) > MAX_PIECES:
            pieces = [b"".join(pieces)]
        left = sum(map(len, pieces)) - os.writev(self._file.fileno(), pieces)
        if left:  # the system wrote less: write the rest, which raises any error
            view = memoryview(b"".join(pieces)[-left:])
            while view:
                view = view[self._file.write(view) or 0 :]

    def duplicate_handle(self) -> int:
        """Returns another descriptor of the file, for flushing; the caller closes it."""
        return os.dup(self._file.fileno())


def read_file(path: Path) -> Iterator[bytes]:
    """Yields the records of a file, their checksums checked.

    Raises:
        DamagedRecord: a checksum is wrong, or the file ends within a record.
    """
    for record in read_all(path):
        if isinstance(record, DamagedRecord):
            raise record
        yield record


def read_all(path: Path) -> Iterator[bytes | DamagedRecord]:
    """Yields the records of a file, and `DamagedRecord`s until nothing more can be read."""
    with open(path, "rb", buffering=READ_BUFFER) as file:
        number = 0
        while head := file.read(RECORD_HEADER.size):
            record = _read_one(file, head, number)
            yield record
            if isinstance(record, DamagedRecord) and record.record is None:
                return
            number += 1


def framed_length(record: bytes) -> int:
    """Returns the bytes that a record takes in its file, with lengths and checksums."""
    return RECORD_HEADER.size + len(record) + RECORD_FOOTER.size


def read_at(path: Path, offset: int) -> bytes:
    """Reads the record at an offset that `RecordWriter.write` returned.

    Raises:
        DamagedRecord: a checksum is wrong, or the file ends within the record.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        record = _read_one(file, file.read(RECORD_HEADER.size), 0)
        if isinstance(record, DamagedRecord):
            raise record
        return record


def _read_one(file: BinaryIO, head: bytes, number: int) -> bytes | DamagedRecord:
    if len(head) < RECORD_HEADER.size:
        return DamagedRecord(number, "the file ends within its head")
    length, length_crc = RECORD_HEADER.unpack(head)
    if length_crc != _masked(head[:8]):
        return DamagedRecord(number, "the checksum of its length is wrong")
    # The length is compared with the file before memory is taken for the record.
    left = os.fstat(file.fileno()).st_size - file.tell()
    body = file.read(length + RECORD_FOOTER.size) if length <= left else b""
    if len(body) < length + RECORD_FOOTER.size:
        return DamagedRecord(number, f"the file ends within it, {length:,} bytes were promised")
    record = body[:length]
    if RECORD_FOOTER.unpack(body[length:])[0] != _masked(record):
        return DamagedRecord(number, "its checksum is wrong", record)
    return record


def _masked(*pieces: bytes) -> int:
    crc = functools.reduce(crc32c_extend, pieces, 0)
    return ((crc >> 15 | crc << 17) + CRC_MASK) & 0xFFFFFFFF
