"""The door for `.npz` files: as NumPy reads them, but no objects and no size that is not there."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.npz_reading import read_npz


def write(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(shape, dtype="<f4", data=b""):
    buffer = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + data


def test_arrays_are_those_of_numpy(tmp_path):
    arrays = {
        "text": np.array("fingerprint"),
        "empty": np.empty((0, 8, 8, 3), np.uint8),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "images": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for name, expected in arrays.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype
        assert found[name].flags.writeable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy((10**12,)), "shape of an array"),
        (npy((-1, 4), data=b"1234" * 4), "shape of an array"),
        (npy((2,), data=b"1234"), "shape of an array"),
        (npy((10**12,), "|V0"), "cannot be read"),
        (npy((1,), "|O", b"12345678"), "Python objects"),
        (b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000, "cannot be read"),
        (b"junk", "cannot be read"),
    ],
)
def test_an_array_that_is_not_there_takes_no_memory(content, message, tmp_path):
    path = write(tmp_path / "a.npz", x=content)
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    tracemalloc.stop()


def test_packed_arrays_and_damage_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "packed.npz", x=np.zeros(10**6))
    with pytest.raises(InputError, match=r"packed\.npz cannot be read .its arrays are packed"):
        read_npz(tmp_path / "packed.npz")
    whole = write(tmp_path / "a.npz", x=npy((1,), data=b"1234")).read_bytes()
    for damaged in (b"", whole[:50], whole.replace(b"1234", b"1235")):
        (tmp_path / "b.npz").write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            read_npz(tmp_path / "b.npz")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        read_npz(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none")
