"""The log of a command: news to stdout, warnings to stderr, and the loggers as before."""

from __future__ import annotations

import logging

import pytest

from skin_synth.commands.log import PACKAGES, show_log
from tfrecords_tools.command_line import SEVERAL_LINES


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("warnings_to_stdout", [False, True])
def test_lines_go_where_they_belong(name, warnings_to_stdout, capsys):
    logger = logging.getLogger(name)
    before = (logger.level, logger.propagate, list(logger.handlers))
    with show_log(warnings_to_stdout=warnings_to_stdout):
        logger.info("100 % done")
        logger.info("two\nlines", extra=SEVERAL_LINES)
        logger.info("not\ntwo")
        logger.warning("%s is damaged", "it\x1b")
    news, warning = "100 % done\ntwo\nlines\nnot\\x0atwo\n", "it\\x1b is damaged\n"
    expected = (news + warning, "") if warnings_to_stdout else (news, warning)
    assert capsys.readouterr() == expected
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
