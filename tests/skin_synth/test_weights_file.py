"""Files of weights: no room is an error before anything is written."""

from __future__ import annotations

import errno
import os

import pytest

from skin_synth.weights_file import reserve
from tests.files import files_of_at_most


def test_room_is_reserved_and_given_back(tmp_path):
    reserve(tmp_path / "file", 10**6)
    assert not list(tmp_path.iterdir())


def test_no_room_is_an_error_before_anything_is_written(tmp_path):
    with files_of_at_most(4096):
        reserve(tmp_path / "file", 4096)
        with pytest.raises(OSError, match="File too large") as caught:
            reserve(tmp_path / "file", 4097)
    assert caught.value.filename == str(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def no_fallocate(monkeypatch, number):
    """A system without the call (macOS), or a file system on which it fails with a number."""
    if number is None:
        monkeypatch.delattr(os, "posix_fallocate")
        return

    def fails(handle, offset, size):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", fails)


@pytest.mark.parametrize("number", [None, errno.EINVAL, errno.EOPNOTSUPP])
def test_room_is_found_without_fallocate_too(tmp_path, monkeypatch, number):
    no_fallocate(monkeypatch, number)
    with files_of_at_most(3 * 2**20):
        reserve(tmp_path / "file", 3 * 2**20)
        with pytest.raises(OSError, match="File too large"):
            reserve(tmp_path / "file", 3 * 2**20 + 1)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_not_taken_for_a_missing_call(tmp_path, monkeypatch):
    no_fallocate(monkeypatch, errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        reserve(tmp_path / "file", 10)
