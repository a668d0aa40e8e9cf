"""Seals of weights files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from skin_synth import sealing


def test_a_file_is_as_it_was_sealed_or_not(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"weights")
    assert sealing.seal_fits(file) is False
    sealing.seal(file)
    whole = file.read_bytes()
    assert whole.startswith(b"weights\nsha256:")
    assert sealing.seal_fits(file) is True
    for damaged in (b"weightS" + whole[7:], whole[:-1] + b"x", whole[1:], b"more" + whole):
        file.write_bytes(damaged)
        assert sealing.seal_fits(file) is False
    for unsealed in (b"", whole[:-1], whole + b"x"):
        file.write_bytes(unsealed)
        assert sealing.seal_fits(file) is False


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
def test_a_file_that_lost_its_seal_is_not_taken_for_one_of_an_older_release(libver, tmp_path):
    file = tmp_path / "x.h5"
    with h5py.File(file, "w", libver=libver) as hdf5:
        hdf5["weights"] = np.arange(9.0)
    assert sealing.seal_fits(file) is None
    plain = file.read_bytes()
    sealing.seal(file)
    sealed = file.read_bytes()
    at = len(plain) - 20  # within the weights, or behind them
    for lost in (
        *(sealed[:-1], sealed + b"x", sealed[: len(plain) + 3], plain + b"\0"),
        *(plain[:-1], sealed[:at] + b"?" + sealed[at + 1 : -1], b"x" + plain),
    ):
        file.write_bytes(lost)
        assert sealing.seal_fits(file) is False


def test_long_files_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(sealing, "HASH_BLOCK", 7)
    file = tmp_path / "x"
    file.write_bytes(b"0123456789" * 10)
    sealing.seal(file)
    monkeypatch.undo()
    assert sealing.seal_fits(file) is True


@pytest.mark.parametrize("size", [0, 1, 71, 72, 73])
def test_short_files_are_no_sound_files(size, tmp_path):
    (tmp_path / "x").write_bytes(bytes(size))
    assert sealing.seal_fits(tmp_path / "x") is False
