"""`skin-synth is-synthetic`; loads no TensorFlow."""

from __future__ import annotations

import argparse

from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="an image file")


def run(options: argparse.Namespace) -> None:
    from skin_synth.provenance import describe_file

    for file in options.files:
        show(f"{file}: {describe_file(file)}")
