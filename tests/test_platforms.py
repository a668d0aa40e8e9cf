"""macOS has not all calls of Linux; Windows has fewer, and reads only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfrecords_tools
from skin_synth import cli, weights_file
from tests.data_sets import write_class_folders
from tests.files import contents
from tfrecords_tools import locks
from tfrecords_tools.atomic import new_directory, new_file
from tfrecords_tools.errors import InputError

ROOT = Path(__file__).parents[1]
NOT_ON_MACOS = (
    *("fdatasync", "posix_fallocate", "posix_fadvise", "POSIX_FADV_DONTNEED"),
    *("sched_getaffinity", "sched_setaffinity", "pipe2", "memfd_create", "copy_file_range"),
    *("O_TMPFILE", "O_DIRECT", "O_NOATIME", "eventfd", "splice", "getrandom"),
)
"""Names of `os` in CPython on Linux that CPython on macOS lacks."""
AS_ON_WINDOWS = """
import os, signal, sys
sys.modules.update(dict.fromkeys(["fcntl", "resource", "pwd", "grp", "termios"]))
for name in ("writev", "pwrite", "pread", "geteuid", "getuid", "sysconf", "fdatasync", "fchmod",
             "O_NONBLOCK", "O_CLOEXEC", "posix_fadvise", "posix_fallocate"):
    delattr(os, name)
del signal.SIGHUP
"""
READING = """
from skin_synth.serving import Client
client = Client("http://localhost:8501", model="skin")
import tfrecords_tools
records = list(tfrecords_tools.read(sys.argv[1], "train"))
assert len(records) == tfrecords_tools.read_info(sys.argv[1]).splits["train"].num_records
import skin_synth
generator = skin_synth.load_pretrained("derm-64-ham10000")
assert generator.generate([4], [0]).shape == (1, 64, 64, 3)
"""


@pytest.fixture
def macos(monkeypatch):
    for name in NOT_ON_MACOS:
        monkeypatch.delattr(os, name, raising=False)


def test_a_build_on_macos_gives_the_same_bytes(tmp_path, request):
    folder = write_class_folders(tmp_path / "images")
    tfrecords_tools.build(folder, tmp_path / "linux", name="x", size=16)
    request.getfixturevalue("macos")
    tfrecords_tools.build(folder, tmp_path / "macos", name="x", size=16)
    linux, macos = contents(tmp_path / "linux"), contents(tmp_path / "macos")
    logs = {name for name in linux if name.endswith(".log")}
    assert {n: c for n, c in macos.items() if n not in logs} == {
        n: c for n, c in linux.items() if n not in logs
    }


@pytest.mark.usefixtures("macos")
def test_room_for_a_checkpoint_is_taken_on_macos(tmp_path):
    weights_file.reserve(tmp_path / "weights.h5", 3 * 2**20)
    assert not (tmp_path / "weights.h5").exists()


def test_windows_reads_loads_and_asks(phantom_data):
    code = f"{AS_ON_WINDOWS}\n{READING}"
    words = [sys.executable, "-W", "ignore", "-c", code, str(phantom_data)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_windows_writes_nothing_and_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(locks, "WINDOWS", True)
    for opened in (new_directory, new_file):
        with pytest.raises(InputError, match="on Windows run it in WSL 2"), opened(tmp_path / "a"):
            pytest.fail("it must not come here")
    words = [
        "generate",
        "--pretrained",
        "derm-64-ham10000",
        "--label",
        "mel",
        "--count",
        "1",
        "--out",
    ]
    assert cli.main_with([*words, str(tmp_path / "out")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("skin-synth: error: ")
    assert "WSL 2" in line
    assert list(tmp_path.iterdir()) == []
