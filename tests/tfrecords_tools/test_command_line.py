"""Exit codes, and one clear line for each error that a user can repair."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest
import tensorflow as tf
from absl.flags import argparse_flags

from tfrecords_tools.command_line import run, run_with, show
from tfrecords_tools.errors import InputError, Stopped


def make_parser() -> argparse_flags.ArgumentParser:
    parser = argparse_flags.ArgumentParser(prog="prog", allow_abbrev=False)
    parser.add_argument("--number", type=int, default=1)
    return parser


def raising(error: BaseException):
    def main(options) -> None:
        raise error

    return main


def test_done(capsys):
    assert run_with(lambda options: print(options.number), make_parser, ["--number=7"]) == 0
    assert capsys.readouterr().out == "7\n"


def test_names_that_are_not_utf8_are_printed():
    """Python decodes them to surrogates, which a strict stdout does not take."""
    script = (
        "from absl.flags import argparse_flags\n"
        "from tfrecords_tools.command_line import run\n"
        "run(lambda options: print('caf\\udce9.png'), argparse_flags.ArgumentParser)"
    )
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=strict)
    assert (done.returncode, done.stdout) == (0, b"caf\\udce9.png\n")


def test_names_from_files_neither_steer_the_terminal_nor_add_a_line(capsys):
    show("one", "two\nthree\x1b[2J")
    run_with(raising(InputError("class 'a\x1b]0;b\x07' is odd")), make_parser, [])
    out, err = capsys.readouterr()
    assert out == "one\ntwo\\x0athree\\x1b[2J\n"
    assert err == "prog: error: class 'a\\x1b]0;b\\x07' is odd\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("size must be\n  positive, got 0"), "size must be positive, got 0"),
        (FileNotFoundError(2, "No such file or directory", "a/b"),
         "No such file or directory (a/b)"),
        (OSError("odd"), "odd"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a/b"),
         "File name too long (a/b): file systems take names of at most 255 bytes"),
        (OSError(errno.EROFS, "Read-only file system", "a/b"),
         "Read-only file system (a/b): choose another place"),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"),
         "the disk is full (out/x): free some space or choose another place"),
        (OSError(errno.ENOSPC, "No space left on device"),
         "the disk is full: free some space or choose another place"),
        (OSError(errno.EDQUOT, "Quota"), "the disk is full"),
        (tf.errors.ResourceExhaustedError(None, None, "x; No space left on device"),
         "the disk is full"),
        (tf.errors.DataLossError(None, None, "corrupted record at 0"),
         "TensorFlow failed: corrupted record at 0"),
    ],
)  # fmt: skip
def test_work_that_fails(error, message, capsys):
    assert run_with(raising(error), make_parser, []) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"prog: error: {message}")


def test_interrupted(capsys):
    assert run_with(raising(KeyboardInterrupt()), make_parser, []) == 130
    assert capsys.readouterr().err.startswith("prog: error: interrupted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_work_that_a_signal_ended_in_good_order_says_how_to_go_on(number, capsys):
    stopped = Stopped("stopped; go on with that", number)
    assert run_with(raising(stopped), make_parser, []) == 128 + number
    assert capsys.readouterr().err == "prog: stopped; go on with that\n"


@pytest.mark.parametrize("error", [ZeroDivisionError(), ValueError("a defect"), TypeError()])
def test_defects_of_the_program_keep_their_traceback(error):
    with pytest.raises(type(error)):
        run_with(raising(error), make_parser, [])


@pytest.mark.parametrize("argv", [["--nonsense"], ["--number", "x"], ["extra"], ["--numb", "1"]])
def test_wrong_usage(argv, capsys):
    assert run_with(raising(AssertionError()), make_parser, argv) == 2
    output = capsys.readouterr().err
    assert output.startswith("usage: prog")
    assert "prog: error: " in output.splitlines()[-1]


def test_help(capsys):
    assert run_with(raising(AssertionError()), make_parser, ["--help"]) == 0
    assert "--number" in capsys.readouterr().out


SCRIPT = """
import sys
from absl.flags import argparse_flags
from tfrecords_tools import command_line
from tfrecords_tools.errors import InputError, Stopped

def make_parser():
    parser = argparse_flags.ArgumentParser(prog="prog", allow_abbrev=False)
    parser.add_argument("--number", type=int, default=1)
    return parser

def main(options):
    if options.number < 0:
        raise InputError("number is negative")
    print(options.number)
    if "tensorflow" in sys.modules:
        raise SystemError

command_line.run(main, make_parser)
"""


@pytest.mark.parametrize(
    ("argv", "code", "out", "message"),
    [
        (["--number", "3"], 0, "3\n", ""),
        (["--number", "-3"], 1, "", "prog: error: number is negative"),
        (["--number", "x"], 2, "", "prog: error: argument --number: invalid int value: 'x'"),
        (["--verbosity=abc"], 2, "", "prog: error: flag --verbosity=abc: invalid"),
        (["--stderrthreshold=x"], 2, "", "prog: error: --stderrthreshold must be one of"),
        (["--verbosity=1"], 0, "1\n", ""),
    ],
)
def test_as_a_process_under_absl(argv, code, out, message):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *argv], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, out)
    assert message in (done.stderr.splitlines() or [""])[-1]
    assert "Traceback" not in done.stderr


def test_run_leaves_with_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["prog", "--number", "5"])
    for main, code in ((lambda options: None, 0), (raising(InputError("no")), 1)):
        with pytest.raises(SystemExit) as leaving:
            run(main, make_parser)
        assert (leaving.value.code or 0) == code
    assert capsys.readouterr().err == "prog: error: no\n"


@pytest.mark.parametrize("name", ["a\nb", "a\x0cb", "a\u2028b", "\x1b[2Jb", "b\ud800"])
def test_the_text_of_an_error_is_one_line_in_python_too(name):
    text = str(InputError(f"no class {name}: name another"))
    assert text.isprintable()
    assert "b" in text
    assert text.startswith("no class ")
