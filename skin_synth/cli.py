"""The command `skin-synth`: from a data set to a GAN, its images, a report and a SavedModel.

Parsing loads no TensorFlow: each sub-command imports what it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple

from absl.flags import argparse_flags

from skin_synth.commands.evaluate import (
    evaluate_flags,
    reader_study_flags,
    work_evaluate,
    work_reader_study,
)
from skin_synth.commands.flag_types import (
    balance_target,
    positive_float,
    positive_int,
)
from skin_synth.commands.provenance import (
    is_synthetic_flags,
    verify_manifest_flags,
    work_is_synthetic,
    work_verify_manifest,
)
from skin_synth.commands.shared_flags import (
    add_data,
    add_out,
    add_run,
    add_seed,
    add_source,
    chosen_source,
)
from skin_synth.commands.train import train_flags, work_train
from tfrecords_tools import command_line
from tfrecords_tools.tensorflow_import import load_tensorflow


class Command(NamedTuple):
    """One sub-command.

    Attributes:
        name: as typed.
        summary: one line for the list of commands.
        example: a command line that a reader can copy.
        add_flags: declares its flags.
        work: runs it.
        tensorflow: whether it needs TensorFlow.
    """

    name: str
    summary: str
    example: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    work: Callable[[argparse.Namespace], None]
    tensorflow: bool = True


def main() -> None:
    """Entry point of the console script; leaves by `sys.exit`; see `main_with`."""
    command_line.run(run_command, make_parser)


def main_with(argv: Sequence[str]) -> int:
    """Runs one command line in this process.

    Args:
        argv: the words after `skin-synth`.

    Returns:
        0 done, 1 work failed, 2 wrong usage, 130 or 143 stopped by SIGINT or SIGTERM.
    """
    return command_line.run_with(run_command, make_parser, argv)


def run_command(options: argparse.Namespace) -> None:
    """Runs the sub-command that the command line chose."""
    if options.tensorflow:
        load_tensorflow()
    options.work(options)


def make_parser() -> argparse_flags.ArgumentParser:
    """The parser of all sub-commands."""
    parser = argparse_flags.ArgumentParser(
        prog="skin-synth",
        description="Train a conditional GAN on skin images, paint new ones, and judge them.",
        epilog="skin-synth COMMAND --help tells more; start with: skin-synth demo --out runs/demo",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub_parser = commands.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_flags(sub_parser)
        sub_parser.set_defaults(work=command.work, tensorflow=command.tensorflow)
    return parser


def _generate_flags(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--label", required=True, metavar="NAME", help="the class to paint")
    parser.add_argument(
        "--count", required=True, type=positive_int, metavar="N", help="how many images"
    )
    add_out(parser, "new folder for the PNG files and manifest.csv")
    add_seed(parser, "the first image; the next ones count up")
    parser.add_argument(
        "--truncation",
        type=positive_float,
        default=1.0,
        metavar="T",
        help="factor of the latent; below 1 trades variety for typicality (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data set to look for each image's nearest training image in "
        "(default: the one that the run was trained on; none with --pretrained)",
    )


def _generate(options: argparse.Namespace) -> None:
    from skin_synth.synthesis import GenerationOptions, generate_images

    which = GenerationOptions(
        label=options.label,
        count=options.count,
        seed=options.seed,
        truncation=options.truncation,
    )
    source = chosen_source(options)
    generate_images(source, options.out, which, data=options.data, overwrite=options.overwrite)
    print(f"{options.out}: {options.count:,} images of {options.label}, provenance in manifest.csv")


def _balance_flags(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_data(parser)
    add_out(parser, "new data set directory: all of --data, and synthetic training images")
    parser.add_argument(
        "--target",
        type=balance_target,
        default="max",
        metavar="max|median|N|CLASS=N,...",
        help="fill every class of the training split up to the largest one, to the median, to N "
        "images, or only the classes named (default: %(default)s)",
    )
    parser.add_argument(
        "--ratio",
        type=positive_float,
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
        help="weights of MobileNet, by whose features copies are looked for a second time "
        "(default: by those of a second classifier)",
    )
    add_seed(parser, "the synthetic images")


def _balance(options: argparse.Namespace) -> None:
    from skin_synth.evaluation.features.extractors import mobilenet
    from skin_synth.synthesis import BalanceOptions, balance
    from skin_synth.synthesis.report import read_warnings

    balance_options = BalanceOptions(
        target=options.target,
        ratio=options.ratio,
        filters=options.filters,
        seed=options.seed,
        image_folder=options.image_folder,
        audit_features=mobilenet(options.weights) if options.weights else None,
    )
    source = chosen_source(options)
    balance(source, options.data, options.out, balance_options, overwrite=options.overwrite)
    for warning in read_warnings(options.out):
        print(f"note: {warning}")
    print(f"{options.out}: balanced data set; look with: tfrecords-tools inspect {options.out}")


def _export_flags(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="MODELDIR",
        help="model directory as TF Serving watches it; each export adds a version 1, 2, ...",
    )
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="a `skin-synth evaluate` of this checkpoint, for the figures of the model card "
        "(default: a card without figures)",
    )


def _export(options: argparse.Namespace) -> None:
    from skin_synth.saved_model.export import export
    from skin_synth.training.runs import load_run

    run = load_run(options.run, options.checkpoint)
    version = export(run, options.out, report=options.report)
    print(f"{version}: SavedModel, described in model_card.md there")


def _demo_flags(parser: argparse.ArgumentParser) -> None:
    from skin_synth.demo import IMAGES, MINUTES

    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="where all of it goes; the same command again goes on where it stopped",
    )
    parser.add_argument(
        "--images",
        type=positive_int,
        default=IMAGES,
        metavar="N",
        help="train on N images (default: %(default)s)",
    )
    parser.add_argument(
        "--minutes",
        type=positive_float,
        default=MINUTES,
        metavar="M",
        help="train for M minutes at most (default: %(default)s)",
    )


def _demo(options: argparse.Namespace) -> None:
    from skin_synth.demo import run_demo

    run_demo(options.out, images=options.images, minutes=options.minutes)


COMMANDS = (
    Command(
        "train",
        "train a conditional GAN on a data set, or go on with a run",
        "skin-synth train --data runs/ham/data --run runs/ham/run --preset derm-64 "
        "--schedule_images 150000",
        train_flags,
        work_train,
    ),
    Command(
        "generate",
        "paint images of one class, with their provenance",
        "skin-synth generate --run runs/ham/run --label mel --count 100 --out runs/ham/mel",
        _generate_flags,
        _generate,
    ),
    Command(
        "balance",
        "fill the rare classes of a data set with synthetic training images",
        "skin-synth balance --run runs/ham/run --data runs/ham/data --out runs/ham/balanced",
        _balance_flags,
        _balance,
    ),
    Command(
        "evaluate",
        "judge a run against real images, per class, beside a real-against-real floor",
        "skin-synth evaluate --run runs/ham/run --data runs/ham/data --out runs/ham/report",
        evaluate_flags,
        work_evaluate,
    ),
    Command(
        "reader-study",
        "write a blind sheet of real and synthetic images, an answer form and a key",
        "skin-synth reader-study --run runs/ham/run --data runs/ham/data --out runs/ham/readers",
        reader_study_flags,
        work_reader_study,
    ),
    Command(
        "export",
        "write the generator as the next SavedModel version, ready for TF Serving",
        "skin-synth export --run runs/ham/run --out runs/ham/model",
        _export_flags,
        _export,
    ),
    Command(
        "verify-manifest",
        "make synthetic images again from their manifest and compare",
        "skin-synth verify-manifest runs/ham/balanced --run runs/ham/run --count 200",
        verify_manifest_flags,
        work_verify_manifest,
    ),
    Command(
        "is-synthetic",
        "tell whether image files say that they are synthetic",
        "skin-synth is-synthetic runs/ham/mel/0.png",
        is_synthetic_flags,
        work_is_synthetic,
        tensorflow=False,
    ),
    Command(
        "demo",
        "go the whole road on procedural images, in minutes on two cores",
        "skin-synth demo --out runs/demo",
        _demo_flags,
        _demo,
    ),
)
