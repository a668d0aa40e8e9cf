"""Another copy of a data set is known by image ids, classes and splits."""

from __future__ import annotations

import dataclasses
import logging
import types

import pytest

from skin_synth.generator import check_same_data, images_from_training
from skin_synth.saved_model.data_images import (
    DATA_IMAGES_FILE,
    DataImage,
    images_of,
    read_data_images,
    write_data_images,
)
from tests.data_sets import write_records
from tests.images import noise
from tests.origins import make_origin
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import Record

SIZES = {"train": 140, "validation": 30, "test": 30}


def copy_of(directory, *, darker=0, change=None, classes=("a", "b")):
    """A data set of 200 images; `change` maps (split, record) to the same of another copy."""
    splits = {name: [] for name in SIZES}
    number = 0
    for split, count in SIZES.items():
        for _ in range(count):
            image = encode_png(noise(number % 7, 16, 16) // (1 + darker))
            found = (split, Record(image, number % 2, f"ISIC_{number}", f"lesion {number}"))
            found = found if change is None else change(number, *found)
            if found is not None:
                splits[found[0]].append(found[1])
            number += 1
    return write_records(directory, splits, class_names=classes)


@pytest.fixture
def original(tmp_path):
    return copy_of(tmp_path / "original")


def generator_of(data, **fields):
    images = images_of(data)
    names = {"class_names": ("a", "b"), "origin": make_origin(data), "data_dir": None}
    return types.SimpleNamespace(**{**names, "data_images": images, **fields})


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


def renamed(number, split, record):
    return split, dataclasses.replace(record, image_id=f"images/{record.image_id}")


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


def test_images_from_training_are_counted(original, tmp_path):
    other = copy_of(tmp_path / "other", darker=1)
    generator = generator_of(original)
    assert images_from_training(generator, other) == 140
    assert images_from_training(generator, original) == 200  # the data set of the training
    unlisted = generator_of(original, data_images=None)
    assert images_from_training(unlisted, other) == 0
    foreign = copy_of(tmp_path / "foreign", change=renamed)
    assert images_from_training(generator, foreign) == 0


def test_images_from_the_training_of_a_run_are_counted_by_their_bytes(original, tmp_path):
    """A data set that was built again has other splits and perhaps other ids."""
    run = generator_of(original, data_images=None, data_dir=original)
    again = copy_of(tmp_path / "again", change=renamed)
    assert images_from_training(run, again) == 200
    assert images_from_training(run, copy_of(tmp_path / "foreign", darker=1)) == 0
    for place in (tmp_path / "removed", again):  # the data set of the run is gone, or another
        moved_away = generator_of(original, data_images=None, data_dir=place)
        assert images_from_training(moved_away, again) == 0
