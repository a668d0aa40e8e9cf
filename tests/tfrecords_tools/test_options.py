"""Options are checked once, and say what they received."""

from __future__ import annotations

import dataclasses

import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions, ImageOptions, data_set_name
from tfrecords_tools.records.schema import Column


def test_defaults():
    options = BuildOptions(name="ham10000_v2")
    assert options.side is None
    assert options.images == ImageOptions()
    assert options.columns == ()
    assert dataclasses.replace(options, size=64).side == 64


def test_metadata_of_resized_images_cannot_be_kept():
    with pytest.raises(InputError, match=r"keep_metadata is for size 'original'.* got size 64"):
        BuildOptions(name="x", size=64, keep_metadata=True)


def test_what_is_asked_of_each_image():
    options = BuildOptions(
        name="x",
        size=64,
        resize="pad",
        encoding="jpeg",
        jpeg_quality=80,
        min_side=32,
        max_pixels=10**6,
    )
    assert options.images == ImageOptions(64, "pad", "jpeg", 80, 32, 10**6)


@pytest.mark.parametrize("columns", ["age:float,sex", {"age": "float", "sex": "text"}])
def test_columns(columns):
    options = BuildOptions(name="x", labels="l.csv", extra_columns=columns)
    assert options.columns == (Column("age", "float"), Column("sex", "text"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "ham-64-train", "name 'ham-64-train' does not fit"),
        ("name", "64ham", "a letter first"),
        ("name", "Ham", "small letters"),
        ("name", "", "''"),
        ("name", "ham\n", "does not fit"),
        ("name", "x" * 101, "'xxxxxxxxxxxxxxxxxxxx'... has 101 letters .*: give at most 100"),
        ("size", 0, "got 0"),
        ("size", -3, "got -3"),
        ("size", 2.5, "got 2.5"),
        ("size", "big", "'original', got 'big'"),
        ("size", 100_000, "size 100,000 makes images of 10,000,000,000 pixels, and max_pixels is"),
        ("size", 10**300, "choose a smaller size, or raise max_pixels"),
        ("resize", "stretch", "resize must be one of crop, pad, squash, got 'stretch'"),
        ("encoding", "webp", "encoding must be one of png, jpeg, got 'webp'"),
        ("jpeg_quality", 0, "from 1 to 100, got 0"),
        ("jpeg_quality", 101, "got 101"),
        ("min_side", 0, "at least 1 pixel, got 0"),
        ("max_pixels", 0, "max_pixels must be at least 1, got 0"),
        ("max_rejected", 1.5, "from 0 to 1, got 1.5"),
        ("max_rejected", -0.1, "got -0.1"),
        ("max_rejected", float("nan"), "got nan"),
        ("workers", 0, "at least 1, got 0"),
        ("runner", "spark", "runner must be one of threads, beam, got 'spark'"),
        ("beam_pipeline_options", "x=1", "are for runner 'beam', got 'threads'"),
    ],
)
def test_values_that_cannot_be(field, value, message):
    with pytest.raises(InputError, match=message):
        BuildOptions(**({"name": "x"} | {field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("one_hot", True),
        ("metadata", "m.csv"),
        ("group_column", "lesion_id"),
        ("split_column", "fold"),
        ("extra_columns", "age:int"),
        ("extra_columns", {"age": "int"}),
    ],
)
def test_what_needs_a_table(field, value):
    with pytest.raises(InputError, match=f"{field} needs a CSV by labels; class folders have none"):
        BuildOptions(name="x", **{field: value})
    assert getattr(BuildOptions(name="x", labels="l.csv", **{field: value}), field) == value


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("label", "'label'"),
        ({"age": "double"}, "kind 'double'"),
        ({"a b": "int"}, "'a b'"),
        ("age,age", "given twice"),
    ],
)
def test_columns_that_cannot_be(columns, message):
    with pytest.raises(InputError, match=message):
        BuildOptions(name="x", labels="l.csv", extra_columns=columns)


@pytest.mark.parametrize(
    ("field", "value"), [("splits", {"train": 1}), ("keep_splits", "old_data")]
)
def test_splits_come_from_one_place(field, value):
    with pytest.raises(InputError, match=f"split_column gives the splits: leave {field} out"):
        BuildOptions(name="x", labels="l.csv", split_column="fold", **{field: value})


def test_options_of_beam():
    options = BuildOptions(name="x", runner="beam", beam_pipeline_options="runner=DirectRunner")
    assert options.beam_pipeline_options == "runner=DirectRunner"


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"one_hot_columns": "a,b"}, "one_hot"),
        ({"unmarked_class": "nevus"}, "one_hot"),
        ({"join_column": "lesion_id"}, "metadata"),
    ],
)
def test_options_of_tables_that_need_another(options, needed):
    (name,) = options
    with pytest.raises(InputError, match=f"{name} needs {needed}"):
        BuildOptions(name="x", labels="l.csv", **options)
    with pytest.raises(InputError, match=f"{name} needs a CSV by labels"):
        BuildOptions(name="x", **options)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        *(("ISIC 2019", "isic_2019"), ("photos", "photos"), ("2019", "images_2019")),
        *(("é", "images"), ("x" * 200, "x" * 100), ("2" * 200, "images_" + "2" * 93)),
    ],
)
def test_a_data_set_has_the_name_of_its_folder(folder, name, tmp_path):
    assert data_set_name(tmp_path / folder) == name
