"""Commands that read provenance, and flags that say what painted an image."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from skin_synth import checkpoints
from skin_synth.flag_types import positive_int, seed_number
from tfrecords_tools.errors import InputError

if TYPE_CHECKING:
    from skin_synth.synthesis.painting import Source


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


def chosen_source(options: argparse.Namespace) -> Source:
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
    from skin_synth.runs import load_run

    return load_run(options.run, options.checkpoint)


def verify_manifest_flags(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of `verify-manifest`."""
    parser.add_argument(
        "directory", metavar="DIR", help="what `skin-synth generate` or `skin-synth balance` wrote"
    )
    add_source(parser)
    parser.add_argument(
        "--count",
        type=positive_int,
        metavar="N",
        help="make N images again, chosen at random (default: all)",
    )
    parser.add_argument(
        "--seed",
        type=seed_number,
        default=0,
        metavar="S",
        help="seed of the choice (default: %(default)s)",
    )


def work_verify_manifest(options: argparse.Namespace) -> None:
    """Runs `verify-manifest`.

    Raises:
        InputError: an image does not fit its row.
    """
    from skin_synth.synthesis import verify_manifest

    found = verify_manifest(
        options.directory, chosen_source(options), count=options.count, seed=options.seed
    )
    print(found.describe(options.directory))
    found.check()


def is_synthetic_flags(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of `is-synthetic`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="an image file")


def work_is_synthetic(options: argparse.Namespace) -> None:
    """Runs `is-synthetic`; loads no TensorFlow."""
    from skin_synth.provenance import describe_file

    for file in options.files:
        print(f"{file}: {describe_file(file)}")
