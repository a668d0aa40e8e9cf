"""`skin-synth demo`."""

from __future__ import annotations

import argparse

from skin_synth import demo
from skin_synth.commands.flags import positive_float, positive_int


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="directory of all results; the same command again resumes",
    )
    parser.add_argument(
        "--images",
        type=positive_int,
        default=demo.DEMO_IMAGES,
        metavar="N",
        help="train on N images (default: %(default)s)",
    )
    parser.add_argument(
        "--minutes",
        type=positive_float,
        default=demo.DEMO_MINUTES,
        metavar="M",
        help="train for M minutes at most (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    demo.run_demo(options.out, images=options.images, minutes=options.minutes)
