"""`skin-synth is-synthetic`; loads no TensorFlow."""

from __future__ import annotations

import argparse

from tfrecords_tools.command_line import show
from tfrecords_tools.errors import InputError


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="an image file")


def run(options: argparse.Namespace) -> None:
    """Prints a line for each file.

    Raises:
        InputError: files cannot be read; the lines of the others are printed.
    """
    from skin_synth.provenance import describe_file

    failures = []
    for file in options.files:
        try:
            show(f"{file}: {describe_file(file)}")
        except InputError as error:
            failures.append(str(error))
    if failures:
        raise InputError("; ".join(failures))
