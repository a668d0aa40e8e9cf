"""Records turn into bytes and back."""

from __future__ import annotations

import dataclasses
import math

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import (
    ORIGIN_SYNTHETIC,
    RESERVED_NAMES,
    Record,
    parse_record,
    serialize_record,
    shard_name,
)

RECORD = Record(image=b"\x89PNG\0\xff", label=3, image_id="a/ü\n.png", group="lésion 7")


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        dataclasses.replace(RECORD, origin=ORIGIN_SYNTHETIC, label=0),
        Record(image=b"", label=2**40, image_id="", group=""),
    ],
)
def test_round_trip(record):
    assert parse_record(serialize_record(record)) == record


VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(width=32, allow_nan=False),
)


@settings(deadline=None, derandomize=True)  # the same on a busy machine
@given(
    image=st.binary(max_size=300),
    label=st.integers(0, 300),
    extras=st.dictionaries(st.text("abcxyz_", min_size=1), VALUES, max_size=4),
)
def test_protocol_buffers_agree(image, label, extras):
    record = Record(image, label, "id", "group", extras=extras)
    serialized = serialize_record(record)
    assert parse_record(serialized) == record
    # Parsed and serialized by protobuf, it has as many bytes: none of them is superfluous.
    example = tf.train.Example.FromString(serialized)
    assert example.ByteSize() == len(serialized)
    assert set(example.features.feature) == {
        *("image", "label", "image_id", "group", "origin"),
        *extras,
    }


def test_missing_values():
    extras = {"age": math.nan, "n": -1, "sex": ""}
    found = parse_record(serialize_record(dataclasses.replace(RECORD, extras=extras))).extras
    assert math.isnan(found["age"])
    assert (found["n"], found["sex"]) == (-1, "")


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_extra_column_whose_name_is_taken(name):
    with pytest.raises(InputError, match=f"must not be called {name}"):
        serialize_record(dataclasses.replace(RECORD, extras={name: "x"}))


def test_tensorflow_reads_it():
    expected = vars(RECORD).copy()
    del expected["extras"]
    types = dict.fromkeys(expected, tf.string) | {"label": tf.int64}
    features = {name: tf.io.FixedLenFeature([], dtype) for name, dtype in types.items()}
    parsed = tf.io.parse_single_example(serialize_record(RECORD), features)
    found = {name: value.numpy() for name, value in parsed.items()}
    assert found == {
        name: value.encode() if isinstance(value, str) else value
        for name, value in expected.items()
    }


def test_bytes_that_are_no_example():
    with pytest.raises(InputError, match=r"no tf\.train\.Example"):
        parse_record(b"\xff\xff\xff\xff")


@pytest.fixture
def example():
    return tf.train.Example.FromString(serialize_record(RECORD))


@pytest.mark.parametrize("name", ["image", "label", "image_id", "group", "origin"])
def test_missing_feature(name, example):
    del example.features.feature[name]
    with pytest.raises(InputError, match="missing or empty"):
        parse_record(example.SerializeToString())


def test_feature_of_another_type(example):
    example.features.feature["label"].bytes_list.value.append(b"3")
    with pytest.raises(InputError, match=r"missing or empty; it has .*label"):
        parse_record(example.SerializeToString())


def test_text_that_is_not_utf8(example):
    example.features.feature["group"].bytes_list.value[0] = b"\xff"
    with pytest.raises(InputError, match="not UTF-8"):
        parse_record(example.SerializeToString())


def test_shard_names_are_those_of_tfds():
    assert shard_name("ham", "train", 2, 11) == "ham-train.tfrecord-00002-of-00011"
