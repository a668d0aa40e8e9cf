"""What both command lines share: absl around argparse, exit codes, one clear line per error."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags

from tfrecords_tools.errors import InputError, Stopped
from tfrecords_tools.text import printable

DONE, FAILED, WRONG_USAGE = range(3)
INTERRUPTED = 130
SIGNALLED = 128
"""Added to a signal's number, as shells do."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAKE_SPACE = "free some space or choose another place"

Main = Callable[[argparse.Namespace], None]
ParserFactory = Callable[[], argparse.ArgumentParser]


def run(main: Main, make_parser: ParserFactory) -> NoReturn:
    """Runs a command line under absl and leaves the process with its exit code.

    Args:
        main: the work; takes the parsed options.
        make_parser: makes the parser, an `absl.flags.argparse_flags.ArgumentParser`.
    """
    parser = make_parser()
    _print_any_name()

    def parse(argv: Sequence[str]) -> argparse.Namespace:
        return _parsed(parser, argv[1:])

    def guarded(options: argparse.Namespace) -> int:
        return _guarded(main, options, parser.prog)

    app.run(guarded, flags_parser=parse)
    raise SystemExit(DONE)


def run_with(main: Main, make_parser: ParserFactory, argv: Sequence[str]) -> int:
    """Runs a command line in this process.

    Args:
        main: as in `run`.
        make_parser: as in `run`.
        argv: the words after the program's name.

    Returns:
        0 done, 1 work failed, 2 wrong usage, 130 interrupted, 143 ended by SIGTERM.
    """
    parser = make_parser()
    try:
        options = _parsed(parser, argv)
    except SystemExit as leaving:
        return int(leaving.code or DONE)
    return _guarded(main, options, parser.prog)


def _print_any_name() -> None:
    """Lets a file name that is not UTF-8 be printed: work that is done must not end for it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parsed(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    try:
        return parser.parse_args(list(argv))
    except (flags.Error, ValueError) as error:
        # Absl's own flags (--verbosity, --stderrthreshold) would leave with a traceback.
        parser.error(str(error))


def _guarded(main: Main, options: argparse.Namespace, program: str) -> int:
    try:
        main(options)
    except Stopped as stopped:
        print(f"{program}: {stopped}", file=sys.stderr, flush=True)
        return SIGNALLED + stopped.signal
    except KeyboardInterrupt:
        _complain(program, "interrupted; the same command again starts or resumes the work")
        return INTERRUPTED
    except Exception as error:
        message = _explain(error)
        if message is None:
            raise
        _complain(program, message)
        return FAILED
    return DONE


def _explain(error: Exception) -> str | None:
    """One line for errors that a user can mend; None for defects of ours."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        return explain_os(error)
    if _is_tensorflow_error(error):
        return _explain_tensorflow(error)
    return None


def explain_os(error: OSError) -> str:
    """What failed, and what to do about a full disk: one line."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in NO_SPACE:
        return f"the disk is full{place}: {MAKE_SPACE}"
    return f"{error.strerror or error}{place}"


def _explain_tensorflow(error: Exception) -> str:
    """TensorFlow's writers tell a full disk in words only."""
    if any(os.strerror(number) in str(error) for number in NO_SPACE):
        return f"the disk is full ({error}): {MAKE_SPACE}"
    return f"TensorFlow could not go on: {error}"


def _is_tensorflow_error(error: Exception) -> bool:
    """Whether TensorFlow raised it; a program that has not loaded TensorFlow does not now."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)


def _complain(program: str, message: str) -> None:
    line = printable(" ".join(message.split()))
    print(f"{program}: error: {line}", file=sys.stderr, flush=True)
