"""Files of weights: no room is an error before anything is written."""

from __future__ import annotations

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
