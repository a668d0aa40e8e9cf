"""`skin-synth balance`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser)
    flags.add_data(parser)
    flags.add_out(parser, "new data set directory: all of --data, and synthetic training images")
    parser.add_argument(
        "--target",
        type=flags.balance_target,
        default="max",
        metavar="max|median|N|CLASS=N,...",
        help="fill every class of the training split up to the largest one, to the median, to N "
        "images, or only the classes named (default: %(default)s)",
    )
    parser.add_argument(
        "--ratio",
        type=flags.positive_float,
        metavar="R",
        help="at most R synthetic images for each real one of a class (default: no limit)",
    )
    parser.add_argument(
        "--filters",
        choices=("all", "copies"),
        default="all",
        help="all: drop what is near a training image or another synthetic one, shows another "
        "class or looks unlike real images; copies: drop exact copies only (default: %(default)s)",
    )
    parser.add_argument(
        "--image_folder",
        action="store_true",
        help="add all images as files with a CSV, for other frameworks (default: TFRecords only)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights of MobileNet, for a second search for copies by its features "
        "(default: by those of a second classifier)",
    )
    flags.add_training_names(parser)
    flags.add_seed(parser, "the synthetic images")


def run(options: argparse.Namespace) -> None:
    """Balances the data set, and prints the warnings of its report."""
    from skin_synth.evaluation.features.extractors import mobilenet
    from skin_synth.synthesis import BalanceOptions, balance
    from skin_synth.synthesis.report import read_warnings

    balance_options = BalanceOptions(
        target=options.target,
        ratio=options.ratio,
        filters=options.filters,
        seed=options.seed,
        training_names=options.training_names,
        image_folder=options.image_folder,
        audit_features=mobilenet(options.weights) if options.weights else None,
    )
    generator = flags.load_generator(options)
    balance(generator, options.data, options.out, balance_options, overwrite=options.overwrite)
    for warning in read_warnings(options.out):
        show(f"note: {warning}")
    show(f"{options.out}: balanced data set; look with: tfrecords-tools inspect {options.out}")
