"""The best checkpoint's file says what it is the best of; damage and wrong names are told."""

from __future__ import annotations

import h5py
import pytest

from skin_synth.checkpoints import BestCheckpoint, check_choice, note_best, read_best
from tfrecords_tools.errors import InputError


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "best.weights.h5"
    with h5py.File(path, "w") as file:
        file["layer"] = [1.0, 2.0]
    return path


def test_what_was_noted_is_read(weights):
    note_best(weights, images_seen=50_096, mean_kid=-0.0125)
    assert read_best(weights) == BestCheckpoint(weights, 50_096, -0.0125)
    with h5py.File(weights) as file:
        assert list(file["layer"]) == [1.0, 2.0]


def test_no_file_is_no_best(tmp_path):
    assert read_best(tmp_path / "best.weights.h5") is None


def test_a_damaged_file_is_named(weights):
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match=r"best\.weights\.h5 cannot be read"):
        read_best(weights)


def test_a_file_that_says_nothing_is_named(weights):
    with pytest.raises(InputError, match=r"best\.weights\.h5 cannot be read"):
        read_best(weights)


@pytest.mark.parametrize("name", ["newest", "", "Best"])
def test_an_unknown_choice_lists_the_known(name):
    with pytest.raises(InputError, match="last, best"):
        check_choice(name)
