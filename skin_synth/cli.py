"""The command `skin-synth`: from a data set to a GAN, its images, a report and a SavedModel.

Parsing loads no TensorFlow: each sub-command imports what it runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from skin_synth.commands import (
    advise,
    balance,
    demo,
    evaluate,
    export,
    generate,
    is_synthetic,
    merge,
    pipeline,
    pretrained,
    reader_score,
    reader_study,
    small_site,
    train,
    verify_manifest,
)
from skin_synth.commands.log import show_log
from tfrecords_tools import command_line
from tfrecords_tools.command_parser import CommandParser
from tfrecords_tools.tensorflow_import import load_tensorflow


class CommandModule(Protocol):
    """A module of `skin_synth.commands`."""

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Declares the flags of the command."""

    def run(self, options: argparse.Namespace) -> None:
        """Does the work of the command."""


class Command(NamedTuple):
    """One sub-command.

    Attributes:
        summary: one line for the list of commands.
        example: a command line that a reader can copy.
        tensorflow: whether it needs TensorFlow.
        warnings_to_stdout: whether warnings are part of its output, as in training.
    """

    name: str
    summary: str
    example: str
    module: CommandModule
    tensorflow: bool = True
    warnings_to_stdout: bool = False


COMMANDS = (
    Command(
        "pipeline",
        "run everything on a folder of images: data set, training, report, balanced data, model",
        "skin-synth pipeline photos --out runs/photos --minutes 60",
        pipeline,
        warnings_to_stdout=True,
    ),
    Command(
        "pretrained",
        "list the installed generators: images without training",
        "skin-synth pretrained",
        pretrained,
        tensorflow=False,
    ),
    Command(
        "train",
        "train a conditional GAN on a data set, or resume a run",
        "skin-synth train --data runs/ham/data --run runs/ham/run --preset derm-64 "
        "--schedule_images 150000",
        train,
        warnings_to_stdout=True,
    ),
    Command(
        "generate",
        "generate images of one class or of all, with their provenance",
        "skin-synth generate --pretrained derm-64-ham10000 --label all --count 20 --out runs/mix",
        generate,
    ),
    Command(
        "merge",
        "join generated data sets, such as the shards of several jobs, and their manifests",
        "skin-synth merge runs/parts/1 runs/parts/2 --out runs/million",
        merge,
    ),
    Command(
        "balance",
        "fill the rare classes of a data set with synthetic training images",
        "skin-synth balance --run runs/ham/run --data runs/ham/data --out runs/ham/balanced",
        balance,
    ),
    Command(
        "evaluate",
        "compare a run with real images, per class, next to a real-against-real floor",
        "skin-synth evaluate --run runs/ham/run --data runs/ham/data --out runs/ham/report",
        evaluate,
    ),
    Command(
        "small-site",
        "study whether a generator helps a classifier of a site with few own images",
        "skin-synth small-site --run runs/ham/run --data runs/ham/data --out runs/ham/small-site",
        small_site,
    ),
    Command(
        "advise",
        "say whether a generator helps a classifier of your own images, and train it",
        "skin-synth advise --pretrained derm-64-ham10000 --data runs/own --out runs/advice",
        advise,
    ),
    Command(
        "reader-study",
        "write a page on which people judge blind what is real and what is synthetic, and a key",
        "skin-synth reader-study --run runs/ham/run --data runs/ham/data --out runs/ham/readers",
        reader_study,
    ),
    Command(
        "reader-score",
        "compare the answers of readers with the key of their study",
        "skin-synth reader-score answers-ada.csv answers-grace.csv runs/ham/readers/key.csv",
        reader_score,
        tensorflow=False,
    ),
    Command(
        "export",
        "write the generator as the next SavedModel version, ready for TF Serving",
        "skin-synth export --run runs/ham/run --out runs/ham/model",
        export,
    ),
    Command(
        "verify-manifest",
        "generate synthetic images again from their manifest and compare",
        "skin-synth verify-manifest runs/ham/balanced --run runs/ham/run --count 200",
        verify_manifest,
    ),
    Command(
        "is-synthetic",
        "say whether image files are marked as synthetic",
        "skin-synth is-synthetic runs/ham/mel/0.png",
        is_synthetic,
        tensorflow=False,
    ),
    Command(
        "demo",
        "run the whole pipeline on procedural images, in minutes on two cores",
        "skin-synth demo --out runs/demo",
        demo,
        warnings_to_stdout=True,
    ),
)
"""The sub-commands of `skin-synth`, each a module of `skin_synth.commands`."""


def main() -> None:
    """Runs the console script; exits with the codes of `main_with`."""
    draw_without_user_settings()
    command_line.run(run_command, make_parser)


def draw_without_user_settings() -> None:
    """Lets Matplotlib draw into files, with its defaults; call it before Matplotlib is imported.

    A notebook sets a backend that this process may not have, and Keras imports Matplotlib.
    """
    os.environ["MPLBACKEND"] = "agg"
    spec = importlib.util.find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        os.environ["MATPLOTLIBRC"] = str(Path(spec.origin).with_name("mpl-data") / "matplotlibrc")


def main_with(argv: Sequence[str]) -> int:
    """Runs one command line (the words after `skin-synth`) in this process.

    Returns:
        0 done, 1 work failed, 2 wrong usage, 129, 130 or 143 stopped by SIGHUP,
        SIGINT or SIGTERM.
    """
    return command_line.run_with(run_command, make_parser, argv)


def run_command(options: argparse.Namespace) -> None:
    """Runs the chosen sub-command."""
    command: Command = options.command
    if command.tensorflow:
        # All our files appear whole, so nobody reads one that is written. And some network file
        # systems have no locks, on which HDF5 insists.
        os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
        load_tensorflow()
    with show_log(warnings_to_stdout=command.warnings_to_stdout):
        command.module.run(options)


def make_parser() -> CommandParser:
    """Makes the parser of all sub-commands."""
    parser = CommandParser(
        prog="skin-synth",
        description="Train a conditional GAN on skin images, generate new ones, and evaluate them.",
        epilog="details: skin-synth COMMAND --help\n"
        "start with: skin-synth demo --out runs/demo\n"
        "or, on your images: skin-synth pipeline FOLDER --out DIR",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_version()
    sub_parsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub_parser = sub_parsers.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.module.add_flags(sub_parser)
        sub_parser.set_defaults(command=command)
    return parser
