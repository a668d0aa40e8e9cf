"""Files of weights: what Keras writes is loaded, what it does not write is refused."""

from __future__ import annotations

import shutil
import zipfile

import h5py
import numpy as np
import pytest

from skin_synth.hdf5_check import DEEPEST, check_arrays
from skin_synth.keras_backend import keras
from skin_synth.weights_file import load_weights
from tfrecords_tools.errors import InputError


def network(seed=0):
    inputs = keras.Input((3,))
    initial = keras.initializers.RandomNormal(seed=seed)
    return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=initial)(inputs))


@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras"])
def test_weights_are_loaded(name, tmp_path):
    first, second = network(1), network(2)
    getattr(first, "save" if name == "a.keras" else "save_weights")(tmp_path / name)
    load_weights(second, tmp_path / name)
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def claims_much(weights):
    weights.create_dataset("x", (10**6, 10**6), chunks=(100, 100))


def claims_twice_the_file(weights):
    for row in range(3):
        weights.create_dataset(f"x{row}", 4_000, "f4")


def is_compressed(weights):
    weights.create_dataset("x", data=np.zeros(10**6), compression="gzip")


def is_elsewhere(weights):
    weights.create_dataset("x", 4, "f4", external=[("/etc/hostname", 0, 16)])


def is_virtual(weights):
    layout = h5py.VirtualLayout(4, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    weights.create_virtual_dataset("x", layout)


def is_text(weights):
    weights["x"] = "words"


def is_a_link(weights):
    weights["x"] = h5py.ExternalLink("other.h5", "/")


def is_a_soft_link(weights):
    weights["x"] = h5py.SoftLink("/y")


def is_deep(weights):
    group = weights
    for _ in range(DEEPEST + 1):
        group = group.create_group("a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (claims_much, r"claim [\d,]+ bytes, the file has"),
        (claims_twice_the_file, "claim"),
        (is_compressed, "'/x' in it is compressed"),
        (is_elsewhere, "'/x' in it is in another file"),
        (is_virtual, "is in another file"),
        (is_text, "holds no numbers"),
        (is_a_link, "'x' in it is a link"),
        (is_a_soft_link, "is a link"),
        (is_deep, "groups in groups"),
    ],
)
def test_what_keras_does_not_write_is_refused(make, message, tmp_path):
    file = tmp_path / "odd.weights.h5"
    network().save_weights(file)
    with h5py.File(file, "r+") as weights:
        make(weights)
    with pytest.raises(InputError, match=f"odd.weights.h5 holds no weights for .*{message}"):
        load_weights(network(), file)
    model = tmp_path / "odd.keras"
    network().save(model)
    with zipfile.ZipFile(model) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", config)
        archive.write(file, "model.weights.h5")
    with pytest.raises(InputError, match=message):
        load_weights(network(), model)


def test_groups_that_hold_each_other_are_read_once(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as weights:
        inner = weights.create_group("a")
        inner["x"] = np.ones(3)
        for number in range(50):
            inner[f"again{number}"] = weights["/"]
            weights[f"again{number}"] = inner
    check_arrays(tmp_path / "x.h5", (tmp_path / "x.h5").stat().st_size)


def test_a_compressed_member_is_refused(tmp_path):
    network().save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        archive.extractall(tmp_path / "in")
    shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path / "in")
    (tmp_path / "b.zip").rename(tmp_path / "b.keras")
    with pytest.raises(InputError, match="in it is compressed"):
        load_weights(network(), tmp_path / "b.keras")
