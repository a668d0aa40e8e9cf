"""The lock: held once, named after its holder, gone with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tfrecords_tools import locks
from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked

HOLD = """
import sys, time
from pathlib import Path
from tfrecords_tools.locks import locked
with locked(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_holds_it(holder, tmp_path):
    with (
        pytest.raises(InputError, match=rf"the run is in use by process {holder.pid}\b"),
        locked(tmp_path / "lock", "the run"),
    ):
        pass


def test_what_a_killed_process_leaves_locks_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").read_text() == f"{holder.pid}\n"
    with locked(tmp_path / "lock", "the run"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", "it"):
        raise ZeroDivisionError
    with locked(tmp_path / "lock", "it"):
        pass


def test_within_a_process_it_is_held_once_too(tmp_path):
    with (
        locked(tmp_path / "lock", "it"),
        pytest.raises(InputError, match=str(os.getpid())),
        locked(tmp_path / "lock", "it"),
    ):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_in_the_new_one(tmp_path, monkeypatch):
    file, flock = tmp_path / "lock", locks.fcntl.flock
    taken = []

    def slow(handle, operation):
        if not taken:  # another process ends here, and a third one begins
            file.unlink()
            file.touch()
        taken.append(os.fstat(handle).st_ino)
        flock(handle, operation)

    monkeypatch.setattr(locks.fcntl, "flock", slow)
    with locked(file, "it"):
        assert len(taken) == 2
        assert file.stat().st_ino == taken[-1]
        assert file.read_text() == f"{os.getpid()}\n"


def test_the_block_may_remove_the_file(tmp_path):
    with locked(tmp_path / "lock", "it"):
        (tmp_path / "lock").unlink()
    assert list(tmp_path.iterdir()) == []
