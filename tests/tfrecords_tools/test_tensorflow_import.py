"""The import of TensorFlow: its words are held back, also where nothing can be written."""

from __future__ import annotations

import os
import tempfile

import pytest

from tfrecords_tools.tensorflow_import import load_tensorflow, stderr_held_back


def fail():
    os.write(2, b"the cause")
    raise ZeroDivisionError


def test_words_are_dropped_and_come_back_with_an_error(capfd):
    with stderr_held_back():
        os.write(2, b"build details")
    assert capfd.readouterr().err == ""
    with pytest.raises(ZeroDivisionError), stderr_held_back():
        fail()
    assert capfd.readouterr().err == "the cause"


def test_no_temporary_folder_is_needed(capfd, monkeypatch):
    def none(*args, **options):
        raise FileNotFoundError("No usable temporary directory found")

    with monkeypatch.context() as read_only:
        read_only.setattr(tempfile, "tempdir", None)
        read_only.setattr(tempfile, "_get_default_tempdir", none)
        read_only.setattr(tempfile, "TemporaryFile", none)
        load_tensorflow()
        assert tempfile.gettempdir() == "/tmp"
        with stderr_held_back():
            os.write(2, b"build details")
    assert capfd.readouterr().err == ""
