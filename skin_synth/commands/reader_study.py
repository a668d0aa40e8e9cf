"""`skin-synth reader-study`."""

from __future__ import annotations

import argparse

from skin_synth.commands.flags import (
    add_data,
    add_generator,
    add_out,
    add_seed,
    load_generator,
    positive_int,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_generator(parser)
    add_data(parser)
    add_out(parser, "new directory for the sheet, the answer form and the key")
    parser.add_argument(
        "--per_class",
        type=positive_int,
        default=8,
        metavar="N",
        help="real images of a class, and as many synthetic ones (default: %(default)s)",
    )
    add_seed(parser, "the choice, the synthetic images and their order")


def run(options: argparse.Namespace) -> None:
    """Writes the sheet, the answer form and the key."""
    from skin_synth.evaluation.report.reader_study import write_reader_study

    write_reader_study(
        load_generator(options),
        options.data,
        options.out,
        per_class=options.per_class,
        seed=options.seed,
        overwrite=options.overwrite,
    )
    print(f"{options.out}: give readers sheet.html and answers.csv; keep key.csv")
