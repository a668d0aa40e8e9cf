"""Locks: one holder, which the error names; the lock ends with its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal

import pytest

from tests.killing import process
from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked, locked_directory

NO_FLOCK = """
import errno, fcntl
def flock(handle, operation):
    raise OSError(errno.ENOLCK, "no locks here")
fcntl.flock = flock
"""
HOLD = """
import sys, time
from pathlib import Path
from tfrecords_tools.locks import locked, locked_directory
with locked(Path(sys.argv[1]), "it"), locked_directory(Path(sys.argv[1]).parent):
    print("ready", flush=True)
    time.sleep(600)
"""


def take(file, what="it"):
    with locked(file, what):
        return file.read_text()


@pytest.fixture
def holder(tmp_path):
    with process(HOLD, tmp_path / "lock") as started:
        yield started


def without_flock(monkeypatch, number):
    def unsupported(handle, operation):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", unsupported)


def test_the_error_names_the_process_that_holds_it(holder, tmp_path):
    with pytest.raises(InputError, match=rf"the run is in use by process {holder.pid}\b"):
        take(tmp_path / "lock", "the run")


def test_what_a_killed_process_leaves_locks_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").read_text() == f"{holder.pid}\n"
    assert take(tmp_path / "lock") == f"{os.getpid()}\n"


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", "it"):
        raise ZeroDivisionError
    take(tmp_path / "lock")


def test_one_process_holds_it_once(tmp_path):
    with locked(tmp_path / "lock", "it"), pytest.raises(InputError, match=str(os.getpid())):
        take(tmp_path / "lock")


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_in_the_new_one(tmp_path, monkeypatch):
    file, flock = tmp_path / "lock", fcntl.flock
    taken = []

    def slow(handle, operation):
        if not taken:  # another process ends here, and a third one begins
            file.unlink()
            file.touch()
        taken.append(os.fstat(handle).st_ino)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    with locked(file, "it"):
        assert len(taken) == 2
        assert file.stat().st_ino == taken[-1]
        assert file.read_text() == f"{os.getpid()}\n"


def test_the_block_may_remove_the_file(tmp_path):
    with locked(tmp_path / "lock", "it"):
        (tmp_path / "lock").unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_without_flock_a_file_of_its_holder_locks(number, tmp_path, monkeypatch, caplog):
    without_flock(monkeypatch, number)
    with locked(tmp_path / "lock", "it"), pytest.raises(InputError, match=str(os.getpid())):
        take(tmp_path / "lock")
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert "this file system has no flock; lock.soft locks instead" in caplog.messages[0]


def test_without_flock_a_killed_process_of_this_machine_locks_nothing(tmp_path, monkeypatch):
    without_flock(monkeypatch, errno.ENOLCK)
    with (
        process(NO_FLOCK + HOLD, tmp_path / "lock") as holder,
        pytest.raises(InputError, match=rf"in use by process {holder.pid}\b"),
    ):
        take(tmp_path / "lock")
    take(tmp_path / "lock")


def test_other_errors_of_a_lock_are_not_hidden(tmp_path, monkeypatch):
    without_flock(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="no locks here"):
        take(tmp_path / "lock")


def test_a_group_may_share_a_lock(tmp_path):
    before = os.umask(0o002)
    try:
        with locked(tmp_path / "lock", "it"):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)


def test_a_directory_is_held_under_any_name(holder, tmp_path):
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    with locked_directory(moved) as free:
        assert not free
    holder.kill()
    with locked_directory(moved, wait=True) as free:
        assert free
    with locked_directory(tmp_path) as free:
        assert not free, "it has gone"
