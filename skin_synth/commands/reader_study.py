"""`skin-synth reader-study`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser, images=True)
    flags.add_data(parser)
    flags.add_out(parser, "new directory for the page, the sheet, the answer form and the key")
    parser.add_argument(
        "--per_class",
        type=flags.positive_int,
        default=8,
        metavar="N",
        help="real images of a class, and as many synthetic ones (default: %(default)s)",
    )
    flags.add_seed(parser, "the choice, the synthetic images and their order")


def run(options: argparse.Namespace) -> None:
    from skin_synth.evaluation.report.reader_study import write_reader_study

    write_reader_study(
        flags.load_generator(options),
        options.data,
        options.out,
        per_class=options.per_class,
        seed=options.seed,
        overwrite=options.overwrite,
    )
    show(
        f"{options.out}: give readers study.html (on paper: sheet.html and answers.csv), but not "
        f"key.csv, which has the answers. "
        f"Then: skin-synth reader-score ANSWERS.csv ... {options.out}/key.csv"
    )
