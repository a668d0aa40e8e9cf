"""Flags that several commands share, and the types of their values.

A type is a converter for argparse: it takes the text of a value and raises
`argparse.ArgumentTypeError`, which names the text, if the value is not allowed.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, TypeVar

from skin_synth.training.checkpoints import CHECKPOINT_CHOICES, LAST
from tfrecords_tools.errors import InputError

if TYPE_CHECKING:
    from skin_synth.generator import ImageGenerator

Options = TypeVar("Options")


def options_of(kind: type[Options], flags: argparse.Namespace) -> Options:
    """Builds a dataclass of options from the flags that have the names of its fields."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return kind(**{field.name: getattr(flags, field.name) for field in fields})


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="data set directory that `tfrecords-tools build` wrote",
    )


def add_seed(parser: argparse.ArgumentParser, what: str) -> None:
    """Declares --seed; the help says of what."""
    parser.add_argument(
        "--seed",
        type=seed_number,
        default=0,
        metavar="S",
        help=f"seed of {what} (default: %(default)s)",
    )


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help=what)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace --out if it is the work of an earlier call (default: refuse)",
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        choices=CHECKPOINT_CHOICES,
        default=LAST,
        metavar="last|best",
        help="the last checkpoint, or the one that validation found best (default: %(default)s)",
    )


def add_generator(parser: argparse.ArgumentParser, *, images: bool = False) -> None:
    """Declares --run with --checkpoint, --pretrained, and --images if a command takes them.

    Exactly one of them is required.
    """
    generator = parser.add_mutually_exclusive_group(required=True)
    generator.add_argument(
        "--run", metavar="RUN", help="run directory of a training (no default: this or the next)"
    )
    generator.add_argument(
        "--pretrained",
        metavar="NAME",
        help="a generator that comes with the package, such as derm-64-ham10000 (no default)",
    )
    if images:
        generator.add_argument(
            "--images",
            metavar="FOLDER",
            help="images that any program painted, FOLDER/CLASS/*.png or .jpg, with the classes of "
            "--data (no default)",
        )
    add_checkpoint(parser)


def load_generator(options: argparse.Namespace) -> ImageGenerator:
    """Loads the run, the pretrained generator or the images that the command line names.

    Raises:
        InputError: it does not exist, cannot be used, or --checkpoint is given without --run.
    """
    if options.run is None and options.checkpoint != LAST:
        flag = "--images" if options.pretrained is None else "--pretrained"
        raise InputError(
            f"{flag} has no checkpoints, got --checkpoint {options.checkpoint}: leave it out, or "
            "give a --run"
        )
    if getattr(options, "images", None) is not None:
        from skin_synth.evaluation.image_folder import load_image_folder

        return load_image_folder(options.images, options.data)
    if options.pretrained is not None:
        from skin_synth.pretrained import load_pretrained

        return load_pretrained(options.pretrained)
    from skin_synth.training.runs import load_run

    return load_run(options.run, options.checkpoint)


def positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, got {text!r}")
    return int(text)


def device_count(text: str) -> int | str:
    """Converts `all`, or a whole number above 0."""
    return text if text == "all" else positive_int(text)


def mebibytes(text: str) -> int:
    """Converts a number of MiB from 0 up to bytes."""
    number = _float_or(text, -1.0)
    if not 0 <= number < 2**40:
        raise argparse.ArgumentTypeError(f"needs a number of MiB from 0 up, got {text!r}")
    return int(number * 2**20)


def seed_number(text: str) -> int:
    """Converts a whole number from 0 to 2**63 - 1."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"needs a whole number from 0 to 2**63 - 1, got {text!r}")
    return int(text)


def positive_float(text: str) -> float:
    number = _float_or(text, 0.0)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
    return number


def _float_or(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def ratio_list(text: str) -> tuple[float, ...]:
    """Converts finite numbers above 0 with commas between them."""
    return tuple(positive_float(part) for part in text.split(","))


def balance_target(text: str) -> int | str | dict[str, int]:
    """Converts `max`, `median`, a whole number above 0, or CLASS=N,CLASS=N."""
    if text in ("max", "median"):
        return text
    if "=" not in text:
        return positive_int(text)
    goals: dict[str, int] = {}
    for part in text.split(","):
        # Class names may contain "=".
        label, _, count = part.rpartition("=")
        if not label:
            raise argparse.ArgumentTypeError(f"needs CLASS=N,CLASS=N, got {text!r}")
        if label in goals:
            raise argparse.ArgumentTypeError(f"class {label!r} occurs twice in {text!r}")
        goals[label] = positive_int(count)
    return goals
