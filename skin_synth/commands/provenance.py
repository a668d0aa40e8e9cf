"""Commands that read provenance."""

from __future__ import annotations

import argparse

from skin_synth.commands.flag_types import positive_int, seed_number
from skin_synth.commands.shared_flags import add_source, chosen_source


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
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="the data set that was balanced: check that DIR's real records equal its own "
        "(default: look at the synthetic ones alone)",
    )


def work_verify_manifest(options: argparse.Namespace) -> None:
    """Runs `verify-manifest`.

    Raises:
        InputError: an image does not fit its row.
    """
    from skin_synth.synthesis import verify_manifest

    found = verify_manifest(
        options.directory,
        chosen_source(options),
        count=options.count,
        seed=options.seed,
        data=options.data,
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
