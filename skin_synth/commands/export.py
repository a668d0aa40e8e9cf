"""`skin-synth export`."""

from __future__ import annotations

import argparse

from skin_synth.commands.flags import add_checkpoint
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", required=True, metavar="RUN", help="run directory of a training")
    add_checkpoint(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="MODELDIR",
        help="model directory for TF Serving; each export adds a version 1, 2, ...",
    )
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="a `skin-synth evaluate` of this checkpoint, for the figures of the model card "
        "(default: a card without figures)",
    )
    parser.add_argument(
        "--other_classes",
        action="store_true",
        help="add the version although the one before it has other classes or another order, so "
        "that the label ids of its clients change their meaning (default: refuse it)",
    )


def run(options: argparse.Namespace) -> None:
    from skin_synth.saved_model.export import export
    from skin_synth.training.runs import load_run

    version = export(
        load_run(options.run, options.checkpoint),
        options.out,
        report=options.report,
        other_classes=options.other_classes,
    )
    show(f"{version}: SavedModel, described in model_card.md there")
