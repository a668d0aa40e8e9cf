"""Code of both command lines: argparse under absl, exit codes, one clear line per error."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TextIO

from absl import app, flags

from tfrecords_tools import streams
from tfrecords_tools.errors import InputError, Stopped
from tfrecords_tools.text import escaped

EXIT_DONE, EXIT_FAILED, EXIT_WRONG_USAGE = range(3)
EXIT_INTERRUPTED = 130
EXIT_SIGNAL_BASE = 128
"""Shells add it to the number of a signal."""
NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAKE_SPACE = "free some space or choose another place"
ADVICE = {
    errno.ENAMETOOLONG: "file systems take names of at most 255 bytes, so give a shorter one",
    errno.EROFS: "choose another place",
}
"""What to do about an error of the system."""
SEVERAL_LINES = {"several_lines": True}
"""`extra` of a log record whose line ends are meant; those of other records are escaped."""

Main = Callable[[argparse.Namespace], None]
ParserFactory = Callable[[], argparse.ArgumentParser]


def run(main: Main, make_parser: ParserFactory) -> NoReturn:
    """Runs a command line under absl and leaves the process with its exit code.

    `make_parser` makes a `command_parser.CommandParser`; `main` takes its options.
    """
    _read_names_as_utf8()
    streams.settle()
    parser = make_parser()
    app.run(
        lambda options: _guarded(main, options, parser.prog),
        flags_parser=lambda argv: _parsed(parser, argv[1:]),
    )
    raise SystemExit(EXIT_DONE)


def _read_names_as_utf8() -> None:
    """Starts this process anew in Python's UTF-8 mode if its locale has another encoding.

    Names of files and classes would be read as other names, or not at all.
    """
    flags = sys.flags
    if sys.getfilesystemencoding() != "utf-8" and not (flags.utf8_mode or flags.ignore_environment):
        environment = {**os.environ, "PYTHONUTF8": "1"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def run_with(main: Main, make_parser: ParserFactory, argv: Sequence[str]) -> int:
    """Runs a command line in this process; `argv` are the words after the name of the program.

    Returns:
        0 done, 1 work failed, 2 wrong usage, 130 interrupted, 143 stopped by SIGTERM.
    """
    parser = make_parser()
    try:
        options = _parsed(parser, argv)
    except SystemExit as leaving:
        return int(leaving.code or EXIT_DONE)
    return _guarded(main, options, parser.prog)


def show(*lines: str, file: TextIO | None = None) -> None:
    """Prints lines, escaped, because names in them may come from files of others.

    Args:
        lines: each becomes one line, whatever characters it has.
        file: stream; None for stdout.
    """
    for line in lines:
        print(escaped(line), file=file, flush=file is sys.stderr)


def _parsed(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    try:
        return parser.parse_args(list(argv))
    except (flags.Error, ValueError) as error:
        # Wrong flags of absl (--verbosity, --stderrthreshold) would give a traceback.
        parser.error(str(error))
    except SystemExit as leaving:  # --help was shown, or an error of the usage
        nothing = argparse.Namespace()
        raise SystemExit(leaving.code or _guarded(lambda _: None, nothing, parser.prog)) from None


def _guarded(main: Main, options: argparse.Namespace, program: str) -> int:
    try:
        main(options)
        streams.check_written()
    except Stopped as stopped:
        show(f"{program}: {stopped}", file=sys.stderr)
        return EXIT_SIGNAL_BASE + stopped.signal
    except KeyboardInterrupt:
        _print_error(program, "interrupted; the same command again starts or resumes the work")
        return EXIT_INTERRUPTED
    except Exception as error:
        message = _explain(error)
        if message is None:
            raise
        _print_error(program, message)
        return EXIT_FAILED
    return EXIT_DONE


def _explain(error: Exception) -> str | None:
    """Returns one line for an error that a user can repair; None for a defect of the program."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        return explain_os_error(error)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return None
    # TensorFlow's writers give no errno.
    if any(os.strerror(number) in str(error) for number in NO_SPACE_ERRNOS):
        return f"the disk is full ({error}): {MAKE_SPACE}"
    return f"TensorFlow failed: {error}"


def explain_os_error(error: OSError) -> str:
    """Returns one line: what failed, and what to do about a full disk or a long name."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in NO_SPACE_ERRNOS:
        return f"the disk is full{place}: {MAKE_SPACE}"
    advice = f": {ADVICE[error.errno]}" if error.errno in ADVICE else ""
    return f"{error.strerror or error}{place}{advice}"


def _print_error(program: str, message: str) -> None:
    show(f"{program}: error: {' '.join(message.split())}", file=sys.stderr)
