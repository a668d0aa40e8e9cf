"""TFRecord files: a length, its checksum, the record, its checksum; again and again.

TensorFlow's writer takes eight times as long for a record of the size of a photograph, and its
reader does not tell where a file is damaged. Both read what this writes (tests/).

    uint64 length, uint32 masked CRC-32C of the length, byte[length] record, uint32 masked CRC-32C
    of the record; all little-endian

The mask of a checksum is ((crc >> 15) | (crc << 17)) + 0xa282ead8. Source:
tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from google_crc32c import extend as crc32c_extend

HEAD = struct.Struct("<QI")
FOOT = struct.Struct("<I")
MASK = 0xA282EAD8
READ_BUFFER = 2**20
MOST_PIECES = 1024
"""That Linux writes at a time (IOV_MAX)."""


class DamagedRecord(Exception):
    """A record that cannot be read.

    Attributes:
        number: of the record in its file, from 0.
        why: what is wrong.
        record: its bytes where only their checksum is wrong; None where its end is not known,
            so that nothing behind it can be read.
    """

    def __init__(self, number: int, why: str, record: bytes | None = None) -> None:
        super().__init__(f"record {number} is damaged: {why}")
        self.number = number
        self.why = why
        self.record = record


class RecordWriter:
    """Writes one file; use as a context manager.

    Attributes:
        path: the file.
        length: records so far.
        num_bytes: of the records so far, without what frames them.
    """

    def __init__(self, path: Path) -> None:
        """Makes the file, or empties the one that is there."""
        self.path = path
        self.length = self.num_bytes = 0
        # Unbuffered: records are large, and a full disk shows at once.
        self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115
        self._offset = 0

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, *pieces: bytes) -> int:
        """Appends a record, given as one or several pieces; returns where in the file it begins."""
        start = self._offset
        num_bytes = sum(map(len, pieces))
        length = struct.pack("<Q", num_bytes)
        head = length + FOOT.pack(_masked(length))
        self._write([head, *pieces, FOOT.pack(_masked(*pieces))])
        self._offset += len(head) + num_bytes + FOOT.size
        self.length += 1
        self.num_bytes += num_bytes
        return start

    def _write(self, pieces: list[bytes]) -> None:
        """Writes pieces without joining them first, unless they are too many for that."""
        if len(pieces) > MOST_PIECES:
            pieces = [b"".join(pieces)]
        left = sum(map(len, pieces)) - os.writev(self._file.fileno(), pieces)
        if left:  # the system took less than it was given; the rest, and any error, come now
            view = memoryview(b"".join(pieces)[-left:])
            while view:
                view = view[self._file.write(view) or 0 :]

    def duplicate_handle(self) -> int:
        """Another descriptor of the file, to be closed by the caller, for flushing beside."""
        return os.dup(self._file.fileno())


def read_file(path: Path) -> Iterator[bytes]:
    """Yields the records of a file, their checksums checked.

    Raises:
        DamagedRecord: a wrong checksum, or a file that ends within a record.
    """
    for record in read_all(path):
        if isinstance(record, DamagedRecord):
            raise record
        yield record


def read_all(path: Path) -> Iterator[bytes | DamagedRecord]:
    """Yields the records of a file, and a `DamagedRecord` in the place of each that is damaged.

    It ends with the file, or with a damage behind which nothing can be read.
    """
    with open(path, "rb", buffering=READ_BUFFER) as file:
        number = 0
        while head := file.read(HEAD.size):
            record = _read_one(file, head, number)
            yield record
            if isinstance(record, DamagedRecord) and record.record is None:
                return
            number += 1


def framed_length(record: bytes) -> int:
    """Bytes that a record takes in its file: the next one begins so much later."""
    return HEAD.size + len(record) + FOOT.size


def read_at(path: Path, offset: int) -> bytes:
    """The record that begins at an offset, as `RecordWriter.write` told it.

    Raises:
        DamagedRecord: its checksums are wrong, or the file ends within it.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        record = _read_one(file, file.read(HEAD.size), 0)
        if isinstance(record, DamagedRecord):
            raise record
        return record


def _read_one(file: BinaryIO, head: bytes, number: int) -> bytes | DamagedRecord:
    if len(head) < HEAD.size:
        return DamagedRecord(number, "the file ends within its head")
    length, length_crc = HEAD.unpack(head)
    if length_crc != _masked(head[:8]):
        return DamagedRecord(number, "the checksum of its length is wrong")
    body = file.read(length + FOOT.size)
    if len(body) < length + FOOT.size:
        return DamagedRecord(number, f"the file ends within it, {length:,} bytes were promised")
    record = body[:length]
    if FOOT.unpack(body[length:])[0] != _masked(record):
        return DamagedRecord(number, "its checksum is wrong", record)
    return record


def _masked(*pieces: bytes) -> int:
    crc = functools.reduce(crc32c_extend, pieces, 0)
    return ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF
