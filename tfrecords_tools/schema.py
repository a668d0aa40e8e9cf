"""The data set directory: names, features, and one record's bytes.

Names are needed where nothing of TensorFlow is (help texts, checks of flags): it is imported by
the functions that turn records into bytes and back.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tfrecords_tools.errors import InputError

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
ORIGIN_REAL = "real"
ORIGIN_SYNTHETIC = "synthetic"

DATASET_INFO = "dataset_info.json"
FEATURES = "features.json"
LABELS = "label.labels.txt"
BUILD_REPORT = "build_report.json"
REJECTED = "rejected.csv"


@dataclasses.dataclass(frozen=True)
class Record:
    """One image of a data set.

    Attributes:
        image: encoded image (PNG or JPEG), 8-bit RGB.
        label: index into the class names.
        image_id: name of the image, unique in the data set.
        group: lesion or patient; the image's own id where none is known.
        origin: `ORIGIN_REAL` or `ORIGIN_SYNTHETIC`.
    """

    image: bytes
    label: int
    image_id: str
    group: str
    origin: str = ORIGIN_REAL


def serialize_record(record: Record) -> bytes:
    """The record as a serialized tf.train.Example; equal records give equal bytes."""
    import tensorflow as tf

    feature = {
        "image": _bytes(record.image),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[record.label])),
        "image_id": _bytes(record.image_id.encode()),
        "group": _bytes(record.group.encode()),
        "origin": _bytes(record.origin.encode()),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def parse_record(serialized: bytes) -> Record:
    """The record whose `serialize_record` gave these bytes.

    Raises:
        InputError: they are no tf.train.Example, or a feature is missing.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

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
        )
    except IndexError as error:
        found = ", ".join(sorted(feature)) or "none"
        raise InputError(f"a feature of the record is missing or empty; it has {found}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"a text of the record is not UTF-8: {error}") from error


def shard_name(name: str, split: str, index: int, count: int) -> str:
    """File name of a shard, as TFDS expects it."""
    return f"{name}-{split}.tfrecord-{index:05d}-of-{count:05d}"


def _bytes(value: bytes) -> Any:
    import tensorflow as tf

    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
