"""Reads the index of variables of a SavedModel: names, shapes and places in the file of values.

TensorFlow ends the process on an index with negative lengths, and takes the memory that it claims.
"""

from __future__ import annotations

import dataclasses
import math
import struct

import google_crc32c
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from tfrecords_tools.errors import InputError

FOOTER = 48
MAGIC = bytes.fromhex("57fb808b247547db")
BLOCK_END = struct.Struct("<BI")
"""Kind of compression and checksum."""
CHECKSUM_MASK = 0xA282EAD8
LARGEST_OBJECTS = 2**20
"""Bytes of TensorFlow's list of objects; an export takes 3 kB."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A variable in the file of values.

    Attributes:
        shape: lengths.
        offset: of the first byte.
        size: in bytes.
        text: whether it is a text; else it is float32.
    """

    shape: tuple[int, ...]
    offset: int
    size: int
    text: bool


def read_index(content: bytes, values: int) -> dict[str, Place]:
    """Returns the variables of an index by their names.

    Args:
        content: of the index.
        values: bytes of the one file of values.

    Raises:
        InputError: it is damaged, or it is not the index of one file of values of float32, each in
            that file.
    """
    try:
        entries = read_entries(content)
        header = tensor_bundle_pb2.BundleHeaderProto.FromString(entries.pop(b"", b""))
        places = {name.decode(): _place(entry, values) for name, entry in entries.items()}
    except (ValueError, IndexError, struct.error, DecodeError) as error:
        raise InputError(f"variables.index is damaged ({error})") from error
    if header.num_shards != 1 or header.endianness:
        raise InputError("variables.index is of other files than an export has")
    return places


def _place(content: bytes, values: int) -> Place:
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(content)
    shape = tuple(each.size for each in entry.shape.dim)
    text = entry.dtype == types_pb2.DT_STRING
    if not text and entry.dtype != types_pb2.DT_FLOAT:
        raise ValueError(f"values of the type {entry.dtype}")
    if entry.slices or entry.shape.unknown_rank or entry.shard_id or min(shape, default=0) < 0:
        raise ValueError(f"the shape {shape}")
    fits = not shape and entry.size <= LARGEST_OBJECTS if text else entry.size == _bytes(shape)
    if not fits or not 0 <= entry.offset <= entry.offset + entry.size <= values:
        raise ValueError(f"{entry.size:,} bytes of the shape {shape} among {values:,} bytes")
    return Place(shape, entry.offset, entry.size, text)


def _bytes(shape: tuple[int, ...]) -> int:
    return 4 * math.prod(shape)


def read_entries(content: bytes) -> dict[bytes, bytes]:
    """Returns the entries of a table of LevelDB that is not compressed.

    Raises:
        ValueError, IndexError, struct.error: it is damaged.
    """
    if not content.endswith(MAGIC):
        raise ValueError("it is no table")
    at = len(content) - FOOTER
    for _ in range(2):  # the place of another block
        _, at = _number(content, at)
    blocks = [_block(content, 0, handle) for handle in _block(content, at).values()]
    entries = {key: value for block in blocks for key, value in block.items()}
    if len(entries) < sum(map(len, blocks)):
        raise ValueError("two variables of one name")
    return entries


def _block(content: bytes, at: int, handle: bytes = b"") -> dict[bytes, bytes]:
    """Returns the entries of the block whose place is written at `at`, or in a handle."""
    start, at = _number(handle or content, at)
    size, at = _number(handle or content, at)
    block, end = content[start : start + size], content[start + size :][: BLOCK_END.size]
    compression, checksum = BLOCK_END.unpack(end)
    if compression or checksum != masked_checksum(block + end[:1]):
        raise ValueError("a checksum does not fit")
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    entries_end = size - 4 - 4 * restarts
    found: dict[bytes, bytes] = {}
    key, at = b"", 0
    while at < entries_end:
        shared, at = _number(block, at)
        rest, at = _number(block, at)
        length, at = _number(block, at)
        if at + rest + length > entries_end:
            raise ValueError("an entry is cut off")
        key = key[:shared] + block[at : at + rest]
        if key in found:
            raise ValueError("two variables of one name")
        found[key] = block[at + rest : at + rest + length]
        at += rest + length
    return found


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Returns a number of 7 bits a byte, and the position after it."""
    number = shift = 0
    while content[at] & 128 and shift < 63:
        number, shift, at = number | (content[at] & 127) << shift, shift + 7, at + 1
    return number | content[at] << shift, at + 1


def masked_checksum(content: bytes) -> int:
    """Returns the checksum of a block of a table."""
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + CHECKSUM_MASK) & 0xFFFFFFFF
