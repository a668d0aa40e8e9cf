"""The room of synthetic images is said, and refused where it is not there."""

from __future__ import annotations

import logging
import shutil

import pytest

from skin_synth.synthesis import cost
from skin_synth.synthesis.cost import check_room
from tfrecords_tools.errors import InputError


def test_a_few_images_have_room_and_need_no_word(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        check_room(tmp_path / "new" / "out", 10, 64, copies=2)
    assert not caplog.messages


def test_the_room_of_many_is_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        check_room(tmp_path / "out", 1000, 64, copies=2)
    (line,) = caplog.messages
    assert line.startswith(
        "1,000 synthetic images of 64 pixels take up to 2 MiB of memory, 25 MiB of"
    )


@pytest.mark.parametrize("count", [99_999_999_999, 10**30])
def test_more_than_any_machine_holds_is_refused(tmp_path, count):
    with pytest.raises(InputError, match="request fewer"):
        check_room(tmp_path / "out", count, 64, copies=2)


def test_memory_and_disk_are_checked_each(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "machine_memory", lambda: 2**30)
    needed = 2**30 // cost.ROW_BYTES
    check_room(tmp_path, needed, 64, copies=1)
    with pytest.raises(InputError, match=r"there are 1\.0 GiB of memory"):
        check_room(tmp_path, needed + 1, 64, copies=1)
    monkeypatch.setattr(cost, "machine_memory", lambda: 2**40)
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match=rf"1 MiB of disk of {tmp_path}: request fewer"):
        check_room(tmp_path / "new", 1000, 64, copies=2)
