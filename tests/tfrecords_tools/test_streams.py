"""Output that nobody reads costs no work; closed streams take no file's number."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

PROGRAM = """
import argparse, sys
from absl.flags import argparse_flags
from tfrecords_tools import command_line
from tfrecords_tools.progress import Progress

def work(options):
    with Progress(total=3, unit="images", description="work") as progress:
        for number in range(3):
            print("news", number, flush=True)
            print("warning", number, file=sys.stderr)
            with open(options.out + str(number), "w") as file:
                file.write("result")
                numbers = file.fileno()
            assert numbers > 2
            progress.update()

def parser():
    made = argparse_flags.ArgumentParser(prog="it", allow_abbrev=False)
    made.add_argument("--out")
    return made

command_line.run(work, parser)
"""


def run(tmp_path, redirection):
    line = f'"$0" -c "$1" --out "$2" {redirection}'
    words = ["bash", "-o", "pipefail", "-c", line, sys.executable, PROGRAM, f"{tmp_path}/out"]
    return subprocess.run(words, capture_output=True, text=True)


@pytest.mark.parametrize(
    "redirection", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "| true", "2>&1 | head -c 1"]
)
def test_work_ends_whoever_listens(tmp_path, redirection):
    done = run(tmp_path, redirection)
    assert done.returncode == 0, done
    assert sorted(os.listdir(tmp_path)) == ["out0", "out1", "out2"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"result"}
    assert "Traceback" not in done.stderr


def test_what_is_heard_is_whole(tmp_path):
    done = run(tmp_path, "")
    assert done.stdout.splitlines() == ["news 0", "news 1", "news 2"]
    assert [line for line in done.stderr.splitlines() if "warning" in line] == [
        "warning 0",
        "warning 1",
        "warning 2",
    ]


@pytest.mark.parametrize(("redirection", "status"), [("> /dev/full", 1), ("2> /dev/full", 0)])
def test_output_to_a_full_disk_costs_no_work(tmp_path, redirection, status):
    done = run(tmp_path, redirection)
    assert done.returncode == status
    assert sorted(os.listdir(tmp_path)) == ["out0", "out1", "out2"]
    if status:
        assert done.stderr.splitlines()[-1].startswith("it: error: the disk is full: ")
        assert "Traceback" not in done.stderr


ASKS = PROGRAM.replace("with Progress", 'print("ready"); sys.stdin.readline()\n    with Progress')


def test_lines_come_at_once_if_python_is_unbuffered(tmp_path):
    words = [sys.executable, "-u", "-c", ASKS, "--out", f"{tmp_path}/out"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asks:
        readable, _, _ = select.select([asks.stdout], [], [], 60)
        assert readable  # the program waits for an answer
        assert asks.stdout.readline() == "ready\n"
        asks.communicate("go\n")
    assert asks.returncode == 0


def test_help_that_is_not_written_is_an_error():
    words = ["bash", "-c", '"$0" -c "$1" --help > /dev/full', sys.executable, PROGRAM]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "it: error: the disk is full: " in done.stderr


NAMES = """
import argparse, os, sys
from absl.flags import argparse_flags
from tfrecords_tools import command_line

def work(options):
    assert os.listdir(options.out) == [options.name] == ["m\\u00e9lanome"]
    print("read", options.name)

def parser():
    made = argparse_flags.ArgumentParser(prog="it", allow_abbrev=False)
    made.add_argument("--out")
    made.add_argument("--name")
    return made

command_line.run(work, parser)
"""


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.UTF-8"])
def test_names_are_utf8_whatever_the_locale_says(tmp_path, locale):
    (tmp_path / "mélanome").mkdir()
    other = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": locale}
    words = [sys.executable, "-c", NAMES, "--out", str(tmp_path), "--name", "mélanome"]
    done = subprocess.run(words, capture_output=True, env={**os.environ, **other})
    assert (done.returncode, done.stderr) == (0, b"")
    assert "lanome" in done.stdout.decode("utf-8")
