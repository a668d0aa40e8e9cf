"""The file of the best checkpoint has its record; damage is found."""

from __future__ import annotations

import hashlib

import h5py
import numpy as np
import pytest

from skin_synth.sealing import HASH_BLOCK, SEAL, SEAL_LENGTH, seal
from skin_synth.training.checkpoints import (
    BestCheckpoint,
    check_choice,
    damage,
    note_best,
    read_best,
)
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
    assert read_best(weights.with_name("none.weights.h5")) is None


@pytest.mark.parametrize("length", [100, None], ids=["damaged", "without figures"])
def test_a_file_that_cannot_be_read_is_named(weights, length):
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(InputError, match=r"best\.weights\.h5 cannot be read"):
        read_best(weights)


@pytest.mark.parametrize("name", ["newest", "", "Best"])
def test_an_unknown_choice_lists_the_known(name):
    with pytest.raises(InputError, match="last, best"):
        check_choice(name)


@pytest.mark.parametrize("size", [0, 1, HASH_BLOCK, HASH_BLOCK + 1, 2 * HASH_BLOCK + 7])
def test_the_seal_is_the_sha256_of_the_content(size, tmp_path):
    content = np.random.default_rng(size).bytes(size)
    file = tmp_path / "x"
    file.write_bytes(content)
    seal(file)
    assert file.read_bytes() == content + SEAL + hashlib.sha256(content).hexdigest().encode()
    assert damage(file) is None


def test_a_sealed_file_is_whole_and_still_hdf5(weights):
    assert damage(weights) is None  # as a file of a release without seals
    before = weights.read_bytes()
    seal(weights)
    assert weights.read_bytes()[: len(before)] == before
    assert damage(weights) is None
    with h5py.File(weights) as file:
        assert list(file["layer"]) == [1.0, 2.0]


def test_every_flipped_byte_is_found(weights):
    seal(weights)
    good = weights.read_bytes()
    body = len(good) - SEAL_LENGTH
    for place in [*range(0, body, 97), body - 1, len(good) - 1]:
        weights.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert damage(weights) == "its checksum does not fit", place


def test_what_is_cut_off_is_found(weights):
    seal(weights)
    good = weights.read_bytes()
    body = len(good) - SEAL_LENGTH
    for length in [*range(1, body, 211), body - 1]:
        weights.write_bytes(good[:length])
        assert damage(weights) == "its checksum does not fit", length
    weights.write_bytes(b"")
    assert damage(weights) == "it is empty"
