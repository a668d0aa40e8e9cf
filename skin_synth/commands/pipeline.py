"""`skin-synth pipeline`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from skin_synth.pipeline import DEFAULT_MINUTES, DEFAULT_SIDE, PipelineOptions, run_pipeline
from skin_synth.presets import PRESETS
from tfrecords_tools.cli import add_build_options, build_options


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", metavar="IMAGES", help="folder of class folders, or with --labels any folder"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="directory of all results; the same command again resumes",
    )
    parser.add_argument(
        "--minutes",
        type=flags.positive_float,
        default=DEFAULT_MINUTES,
        metavar="M",
        help="minutes of training; the schedules fit them (default: %(default)g)",
    )
    parser.add_argument(
        "--training_images",
        type=flags.positive_int,
        metavar="N",
        help="stop the training after N images (default: as many as the minutes allow)",
    )
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        metavar="NAME",
        help=f"one of {', '.join(PRESETS)} (default: that of the image size)",
    )
    parser.add_argument(
        "--init_from",
        metavar="RUN|MODEL|NAME",
        help="start the training from the weights of a run, of an exported generator, or of an "
        "installed one (see skin-synth pretrained); for few images of your own (default: fresh "
        "weights)",
    )
    flags.add_overrides(parser)
    parser.add_argument(
        "--target",
        type=flags.balance_target,
        default="max",
        metavar="max|median|N|CLASS=N,...",
        help="images of every class of the balanced data set (default: %(default)s)",
    )
    parser.add_argument("--dry_run", action="store_true", help="only print the plan; write nothing")
    add_build_options(parser)
    parser.set_defaults(size=DEFAULT_SIDE)


def run(options: argparse.Namespace) -> None:
    run_pipeline(
        options.images,
        options.out,
        build_options(options),
        flags.options_of(PipelineOptions, options),
        dry_run=options.dry_run,
    )
