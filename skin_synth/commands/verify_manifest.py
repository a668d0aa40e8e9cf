"""`skin-synth verify-manifest`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", metavar="DIR", help="result of `skin-synth generate` or `skin-synth balance`"
    )
    flags.add_generator(parser)
    parser.add_argument(
        "--count",
        type=flags.positive_int,
        metavar="N",
        help="generate N images again, chosen at random (default: all)",
    )
    flags.add_seed(parser, "the choice")
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="the data set that was balanced: check that the real records of DIR equal those there "
        "(default: check the synthetic ones only)",
    )


def run(options: argparse.Namespace) -> None:
    """Prints what was compared.

    Raises:
        InputError: an image does not fit its row.
    """
    from skin_synth.synthesis import verify_manifest

    found = verify_manifest(
        options.directory,
        flags.load_generator(options),
        count=options.count,
        seed=options.seed,
        data=options.data,
    )
    show(found.describe(options.directory))
    found.check()
