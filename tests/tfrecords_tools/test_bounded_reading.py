"""Small files from outside: no waiting, no memory without limit."""

from __future__ import annotations

import os

import pytest

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError


def test_a_file_up_to_the_limit_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bounded(tmp_path / "a", 5) == b"12345"
    with pytest.raises(InputError, match="more than 4 bytes"):
        read_bounded(tmp_path / "a", 4)


def test_a_pipe_a_device_and_a_folder_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        with pytest.raises(InputError, match="not a regular file"):
            read_bounded(tmp_path / name)
    with pytest.raises(OSError, match="directory"):
        read_bounded(tmp_path)
