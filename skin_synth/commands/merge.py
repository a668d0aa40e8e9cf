"""`skin-synth merge`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parts",
        nargs="+",
        metavar="PART",
        help="result of `skin-synth generate --format tfrecord`; give all shards",
    )
    flags.add_out(parser, "new data set directory with the images of all parts")


def run(options: argparse.Namespace) -> None:
    """Prints the number of images, and of those that were equal."""
    from skin_synth.synthesis import merge_records

    found = merge_records(options.parts, options.out, overwrite=options.overwrite)
    show(f"{options.out}: {found.describe()}, provenance in manifest.csv")
