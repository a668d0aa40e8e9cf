"""Metadata of a data set: our kinds of features alone, and files in its folder alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data_sets import write_records
from tests.images import noise
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.metadata import parse_features, parse_info
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import Column, Record

COLUMNS = (Column("age", "float"), Column("n", "int"), Column("sex", "text"))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    image = encode_png(noise(0, 16, 16))
    record = Record(image, 0, "a", "g", extras={"age": 1.0, "n": 2, "sex": "f"})
    return write_records(
        tmp_path_factory.mktemp("metadata") / "data", {"train": [record]}, columns=COLUMNS
    )


@pytest.fixture
def features(written) -> dict:
    return json.loads((written / "features.json").read_text())


@pytest.fixture
def info(written) -> dict:
    return json.loads((written / "dataset_info.json").read_text())


def test_what_we_write_is_what_we_read(features, info):
    found = parse_features(features)
    assert (found.image_shape, found.image_format, found.num_classes) == ((16, 16, 3), "png", 2)
    assert found.columns == COLUMNS
    assert parse_info(info) == ("x", {"train": (1,)})


EVIL = "evil.evil.X"


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ((), {"pythonClassName": EVIL}),
        ((), {"type": EVIL, "content": {}}),
        ((), {"python_class_name": EVIL}),
        (("featuresDict",), {"python_class_name": EVIL}),
        *(
            (("featuresDict", "features", name), change)
            for name in ("image", "label", "group", "age", "sex")
            for change in (
                {"pythonClassName": EVIL},
                {"pythonClassName": "tensorflow_datasets.core.features.translation_feature.X"},
                {"pythonClassName": ["tensorflow_datasets.core.features.text_feature.Text"]},
                {"python_class_name": EVIL},
                {"type": EVIL},
                {"sequence": {"feature": {"pythonClassName": EVIL}}},
                {"text": {"maxLength": 1}, "image": {}},
            )
        ),
        (("featuresDict", "features"), {"more": {"pythonClassName": EVIL, "text": {}}}),
        (("featuresDict", "features"), {"more": {"pythonClassName": EVIL, "json": {}}}),
        (("featuresDict", "features"), {"group": None}),
        (("featuresDict", "features", "image", "image"), {"shape": {"dimensions": [16, 16]}}),
        (("featuresDict", "features", "image", "image"), {"shape": {"dimensions": [16, 16, 4]}}),
        (("featuresDict", "features", "image", "image"), {"shape": {"dimensions": [16, -2, 3]}}),
        (("featuresDict", "features", "image", "image"), {"dtype": "float32"}),
        (("featuresDict", "features", "label", "classLabel"), {"numClasses": "9" * 30}),
        (("featuresDict", "features", "label", "classLabel"), {"numClasses": True}),
        (("featuresDict", "features", "age", "tensor"), {"dtype": "variant"}),
        (("featuresDict", "features", "age", "tensor"), {"shape": {"dimensions": ["9"]}}),
        (("featuresDict", "features", "age", "tensor"), {"encoding": "zlib"}),
    ],
)
def test_features_that_are_not_ours(place, change, features):
    part = features
    for name in place:
        part = part[name]
    part.update(change)
    with pytest.raises(ValueError):  # noqa: PT011 (the message depends on the place)
        parse_features(features)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": "a/b"},
        {"name": ""},
        {"name": 3},
        {"fileFormat": "array_record"},
        {"version": "1.0"},
        {"versio": "1.0.0"},
        {"splits": {}},
    ],
)
def test_information_that_is_not_ours(change, info):
    with pytest.raises(ValueError):  # noqa: PT011 (the message depends on the field)
        parse_info(info | change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../x"},
        {"name": "train/../x"},
        {"filepathTemplate": "/etc/{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"},
        {"shardLengths": ["-1"]},
        {"shardLengths": ["1e3"]},
        {"shardLengths": [1.5]},
        {"shardLengths": ["9" * 25]},
        {"shardLengths": "111"},
        {"numByte": "3"},
    ],
)
def test_split_that_is_not_ours(change, info):
    info["splits"][0].update(change)
    with pytest.raises(ValueError):  # noqa: PT011 (the message depends on the field)
        parse_info(info)


def test_split_that_occurs_twice(info):
    info["splits"] *= 2
    with pytest.raises(ValueError, match="occurs twice"):
        parse_info(info)


def test_other_fields_of_tfds_are_not_used(info):
    more = {"description": "x", "moduleName": EVIL, "releaseNotes": {"1.0.0": "x"}}
    assert parse_info(info | more) == parse_info(info)


@pytest.mark.parametrize("text", ["a\n", "a\nb\nc\n"])
def test_other_number_of_class_names(text, written):
    labels = written / "label.labels.txt"
    before = labels.read_bytes()
    labels.write_text(text)
    with pytest.raises(InputError, match=r"names, features\.json promises 2"):
        read_info(written)
    labels.write_bytes(before)


def test_content_that_is_nested_too_deeply(damageable):
    (damageable / "features.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="damaged or foreign"):
        read_info(damageable)
