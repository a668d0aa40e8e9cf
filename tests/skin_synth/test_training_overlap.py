"""Images of a data set on which a generator was trained are found by id, and by pixels."""

from __future__ import annotations

import dataclasses
import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from skin_synth.training_overlap import images_from_training
from tests.copies import copy_of, generator_of, renamed


@pytest.fixture
def original(tmp_path):
    return copy_of(tmp_path / "original")


def test_a_list_names_them(original, tmp_path):
    other = copy_of(tmp_path / "other", darker=1)
    generator = generator_of(original)
    assert images_from_training(generator, other) == 140
    assert images_from_training(generator, other, ["validation", "test"]) == 0
    assert images_from_training(generator, original) == 200  # the data set of the training
    foreign = copy_of(tmp_path / "foreign", change=renamed)
    assert images_from_training(generator, foreign) == 0


def test_a_list_names_them_in_other_splits(original, tmp_path):
    def turned_round(number, split, record):
        return {"train": "test", "test": "train"}.get(split, split), record

    other = copy_of(tmp_path / "other", darker=1, change=turned_round)
    assert images_from_training(generator_of(original), other, ["test"]) == 140
    assert images_from_training(generator_of(original), other, ["train", "validation"]) == 0


def saved_otherwise(number, split, record):
    """Another program writes the same picture with other bytes."""
    file = io.BytesIO()
    note = PngInfo()
    note.add_text("Software", "another program")
    Image.open(io.BytesIO(record.image)).save(file, "PNG", pnginfo=note)
    assert file.getvalue() != record.image
    return renamed(number, split, dataclasses.replace(record, image=file.getvalue()))


@pytest.mark.parametrize("change", [renamed, saved_otherwise])
def test_those_of_a_run_have_the_same_pixels(original, tmp_path, change):
    """A data set that was built again has other splits, and perhaps other ids and bytes."""
    run = generator_of(original, data_images=None, data_dir=original)
    again = copy_of(tmp_path / "again", change=change)
    assert images_from_training(run, again) == 200  # there are seven pictures, all in training
    assert images_from_training(run, again, ["test"]) == 30
    assert images_from_training(run, copy_of(tmp_path / "foreign", darker=1)) == 0


def test_it_is_not_known_without_a_list_or_the_data_set(original, tmp_path):
    again = copy_of(tmp_path / "again", change=renamed)
    assert images_from_training(generator_of(original, data_images=None), again) is None
    for place in (tmp_path / "removed", again):  # the data set of the run is gone, or another
        moved_away = generator_of(original, data_images=None, data_dir=place)
        assert images_from_training(moved_away, again) is None
