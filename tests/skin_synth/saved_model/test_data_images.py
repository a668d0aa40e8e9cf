"""Another copy of a data set is known by image ids, classes and splits."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from skin_synth.generator import check_same_data
from skin_synth.saved_model.data_images import (
    DATA_IMAGES_FILE,
    DataImage,
    images_of,
    read_data_images,
    write_data_images,
)
from tests.copies import copy_of, generator_of, renamed
from tfrecords_tools.errors import InputError


@pytest.fixture
def original(tmp_path):
    return copy_of(tmp_path / "original")


def test_a_list_is_read_as_it_was_written(original, tmp_path):
    write_data_images(tmp_path, original)
    found = read_data_images(tmp_path)
    assert found == images_of(original)
    assert len(found) == 200
    assert found["ISIC_1"] == DataImage("b", "train")
    assert found["ISIC_199"] == DataImage("b", "test")
    assert read_data_images(original) is None


@pytest.mark.parametrize(
    "content", [b"", b"image_id,label\na,b\n", b"image_id,label,split\na\n", b"\xff", b'a"\n"b']
)
def test_a_damaged_list_is_refused(content, tmp_path):
    (tmp_path / DATA_IMAGES_FILE).write_bytes(content)
    with pytest.raises(InputError, match="is no list of images"):
        read_data_images(tmp_path)


def test_a_copy_with_other_pixels_is_the_same_data(original, tmp_path, caplog):
    other = copy_of(tmp_path / "other", darker=1)
    generator = generator_of(original)
    with caplog.at_level(logging.WARNING, "skin_synth"):
        check_same_data(generator, original)
        assert not caplog.records
        check_same_data(generator, other)
    assert "200 of 200 images agree" in caplog.text
    with pytest.raises(InputError, match="with fingerprint"):
        check_same_data(generator_of(original, data_images=None), other)


def moved(number, split, record):
    return ("train" if number == 199 else split), record


def relabelled(number, split, record):
    return split, dataclasses.replace(record, label=1) if number == 2 else record


def some_missing(number, split, record):
    return None if number < 3 else (split, record)


def some_new(number, split, record):
    return split, dataclasses.replace(record, image_id=f"new {number}") if number < 3 else record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (moved, "199 of 200 images agree, 1 have another class or split, such as ISIC_199"),
        (relabelled, "199 of 200 images agree, 1 have another class or split, such as ISIC_2"),
        (renamed, "0 of 200 images agree, 200 are new"),
        (some_missing, "197 of 200 images agree"),
        (some_new, "197 of 200 images agree, 3 are new"),
    ],
)
def test_another_data_set_is_refused(change, message, original, tmp_path):
    other = copy_of(tmp_path / "other", change=change)
    with pytest.raises(InputError, match=f"{message}.*give a copy"):
        check_same_data(generator_of(original), other)


def test_a_few_may_be_new_or_missing(original, tmp_path):
    def two(number, split, record):
        if number == 5:
            return None
        return split, dataclasses.replace(record, image_id="new") if number == 6 else record

    check_same_data(generator_of(original), copy_of(tmp_path / "other", change=two))


def test_other_class_names_are_refused(original, tmp_path):
    other = copy_of(tmp_path / "other", classes=("b", "a"))
    with pytest.raises(InputError, match="names the classes a, b"):
        check_same_data(generator_of(original), other)
