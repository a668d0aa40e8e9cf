"""Flags that several commands share, and what they name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from skin_synth.commands.flag_types import seed_number
from skin_synth.training import checkpoints
from tfrecords_tools.errors import InputError

if TYPE_CHECKING:
    from skin_synth.generator import ImageGenerator


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declares --run and which checkpoint of it is meant."""
    parser.add_argument("--run", required=True, metavar="RUN", help="run directory of a training")
    add_checkpoint(parser)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Declares --data."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="data set directory that `tfrecords-tools build` wrote",
    )


def add_seed(parser: argparse.ArgumentParser, what: str) -> None:
    """Declares --seed, of what the help says."""
    parser.add_argument(
        "--seed",
        type=seed_number,
        default=0,
        metavar="S",
        help=f"seed of {what} (default: %(default)s)",
    )


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """Declares --out and --overwrite."""
    parser.add_argument("--out", required=True, metavar="DIR", help=what)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace --out where it is the work of an earlier call (default: refuse)",
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Declares which checkpoint of --run is meant."""
    parser.add_argument(
        "--checkpoint",
        choices=checkpoints.CHOICES,
        default=checkpoints.LAST,
        metavar="last|best",
        help="the last checkpoint, or the one that validation found best (default: %(default)s)",
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """Declares --run with its checkpoint, and --pretrained, of which one is needed."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--run", metavar="RUN", help="run directory of a training (no default: this or the next)"
    )
    source.add_argument(
        "--pretrained",
        metavar="NAME",
        help="a generator that comes with the package, such as derm-64-ham10000 (no default)",
    )
    add_checkpoint(parser)


def chosen_source(options: argparse.Namespace) -> ImageGenerator:
    """The run or the pretrained generator that the command line names.

    Raises:
        InputError: there is no such one, or a pretrained generator with a choice of checkpoint.
    """
    if options.pretrained is not None:
        if options.checkpoint != checkpoints.LAST:
            raise InputError(
                f"--pretrained has no checkpoints, got --checkpoint {options.checkpoint}: "
                "leave it out, or give a --run"
            )
        from skin_synth.pretrained import load_pretrained

        return load_pretrained(options.pretrained)
    from skin_synth.training.runs import load_run

    return load_run(options.run, options.checkpoint)
