"""The data set directory: its names and features, and the bytes of a record.

Only `parse_record` imports TensorFlow, because help texts and checks of flags need only the names.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Mapping
from typing import Any

from tfrecords_tools.errors import InputError
from tfrecords_tools.text import escaped

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
ORIGIN_REAL, ORIGIN_SYNTHETIC = "real", "synthetic"

DATASET_INFO = "dataset_info.json"
FEATURES = "features.json"
LABELS = "label.labels.txt"
BUILD_REPORT = "build_report.json"
REJECTED = "rejected.csv"
NEAR_DUPLICATES = "near_duplicates.csv"
CONTACT_SHEETS = "contact_sheets"

LENGTH_DELIMITED = 2
"""Wire type of protocol buffers for strings, bytes and messages."""

Value = str | int | float
TEXT, INT, FLOAT = "text", "int", "float"
MISSING: Mapping[str, Value] = {TEXT: "", INT: -1, FLOAT: math.nan}
"""Value that means "no value", by kind of column; synthetic records always have it."""


@dataclasses.dataclass(frozen=True)
class Column:
    """An extra feature of all records.

    Attributes:
        kind: `TEXT` (bytes, UTF-8), `INT` (int64) or `FLOAT` (float32).
    """

    name: str
    kind: str = TEXT


@dataclasses.dataclass(frozen=True)
class Record:
    """One image of a data set.

    Attributes:
        image: encoded image (PNG or JPEG), 8-bit RGB.
        label: index into the class names.
        image_id: unique in the data set.
        group: lesion or patient; the image id if unknown.
        origin: `ORIGIN_REAL` or `ORIGIN_SYNTHETIC`.
        extras: values of the data set's extra columns, by name.
    """

    image: bytes
    label: int
    image_id: str
    group: str
    origin: str = ORIGIN_REAL
    extras: Mapping[str, Value] = dataclasses.field(default_factory=dict)


RESERVED_NAMES = tuple(field.name for field in dataclasses.fields(Record))
"""Names that no extra column may have."""


def serialize_record(record: Record) -> bytes:
    """Returns the serialized tf.train.Example of a record; equal records give equal bytes.

    Raises:
        InputError: an extra column has a reserved name.
    """
    return b"".join(record_pieces(record))


def record_pieces(record: Record) -> list[bytes]:
    """Returns the pieces that `serialize_record` joins; the image is one piece and is not copied.

    This code does not use the class Example for two reasons: filling an Example copies a photograph
    several times while no other thread runs, and the order of its map depends on the version of
    protobuf.
    """
    if taken := set(record.extras) & set(RESERVED_NAMES):
        raise InputError(f"extra columns must not be called {', '.join(sorted(taken))}")
    values = {**vars(record), **record.extras}
    del values["extras"]
    # Example.features.feature is a map: entries of a key (1) and a value (2).
    entries = [
        _field(1, [*_field(1, [name.encode()]), *_field(2, _feature(values[name]))])
        for name in sorted(values)
    ]
    return _field(1, [piece for entry in entries for piece in entry])


def parse_record(serialized: bytes) -> Record:
    """Parses the bytes of `serialize_record`.

    Raises:
        InputError: the bytes are no tf.train.Example, or a feature is missing.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    example = tf.train.Example()
    try:
        example.ParseFromString(serialized)
    except DecodeError as error:
        raise InputError(f"the record is no tf.train.Example: {error}") from error
    feature = example.features.feature
    try:
        return Record(
            image=feature["image"].bytes_list.value[0],
            label=feature["label"].int64_list.value[0],
            image_id=feature["image_id"].bytes_list.value[0].decode(),
            group=feature["group"].bytes_list.value[0].decode(),
            origin=feature["origin"].bytes_list.value[0].decode(),
            extras={
                name: _value(feature[name]) for name in sorted(set(feature) - set(RESERVED_NAMES))
            },
        )
    except IndexError as error:
        found = escaped(", ".join(sorted(feature))) or "none"
        raise InputError(f"a feature of the record is missing or empty; it has {found}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"a text of the record is not UTF-8: {error}") from error


def shard_name(name: str, split: str, index: int, count: int) -> str:
    """Returns the file name of a shard that TFDS expects."""
    return f"{name}-{split}.tfrecord-{index:05d}-of-{count:05d}"


def _feature(value: Value | bytes) -> list[bytes]:
    """Returns the pieces of a tf.train.Feature with one value."""
    if isinstance(value, int):
        return _field(3, _field(1, [_varint(value % 2**64)]))  # Int64List, packed
    if isinstance(value, float):
        return _field(2, _field(1, [struct.pack("<f", value)]))  # FloatList, packed
    return _field(1, _field(1, [value.encode() if isinstance(value, str) else value]))


def _field(number: int, pieces: list[bytes]) -> list[bytes]:
    """Returns the pieces of a length-delimited field of a protocol buffer."""
    length = sum(map(len, pieces))
    return [bytes([number << 3 | LENGTH_DELIMITED]), _varint(length), *pieces]


def _varint(value: int) -> bytes:
    """Encodes an integer, seven bits a byte, lowest first; the eighth bit: more bytes follow."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _value(feature: Any) -> Value:
    """Returns the first value of a feature of any kind."""
    kind = feature.WhichOneof("kind") or "bytes_list"
    value = getattr(feature, kind).value[0]
    return value.decode() if isinstance(value, bytes) else value
