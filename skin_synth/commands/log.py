"""Shows the log of both packages to the user of a command."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

from tfrecords_tools.command_line import SEVERAL_LINES, show

PACKAGES = ("skin_synth", "tfrecords_tools")


class _Console(logging.Handler):
    """Prints the message of each record, warnings to stderr unless they are part of the output."""

    def __init__(self, *, warnings_to_stdout: bool) -> None:
        super().__init__()
        self.warnings_to_stdout = warnings_to_stdout

    def emit(self, record: logging.LogRecord) -> None:
        is_news = record.levelno < logging.WARNING or self.warnings_to_stdout
        message = record.getMessage()
        # Other line ends come from names.
        lines = message.split("\n") if SEVERAL_LINES.items() <= vars(record).items() else [message]
        show(*lines, file=sys.stdout if is_news else sys.stderr)


@contextlib.contextmanager
def show_log(*, warnings_to_stdout: bool) -> Iterator[None]:
    """Prints what the packages log while the block runs.

    Args:
        warnings_to_stdout: whether warnings go to stdout with the rest, or to stderr.
    """
    handler = _Console(warnings_to_stdout=warnings_to_stdout)
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # because absl's handler would print it again
    try:
        yield
    finally:
        for logger, level, propagate in before:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
