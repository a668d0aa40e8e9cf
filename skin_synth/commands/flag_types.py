"""What values of flags may be: converters for argparse, whose errors name what was received."""

from __future__ import annotations

import argparse


def positive_int(text: str) -> int:
    """A whole number above 0, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, got {text!r}")
    return int(text)


def device_count(text: str) -> int | str:
    """`all`, or a whole number above 0, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    return text if text == "all" else positive_int(text)


def mebibytes(text: str) -> int:
    """A number of MiB from 0 up, as bytes, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 2**40:
        raise argparse.ArgumentTypeError(f"needs a number of MiB from 0 up, got {text!r}")
    return int(number * 2**20)


def seed_number(text: str) -> int:
    """A whole number from 0 to 2**63 - 1, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"needs a whole number from 0 to 2**63 - 1, got {text!r}")
    return int(text)


def positive_float(text: str) -> float:
    """A finite number above 0, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
    return number


def ratio_list(text: str) -> tuple[float, ...]:
    """Finite numbers above 0 with commas between them, for argparse.

    Raises:
        argparse.ArgumentTypeError: one is none.
    """
    return tuple(positive_float(part) for part in text.split(","))


def balance_target(text: str) -> int | str | dict[str, int]:
    """`max`, `median`, a whole number above 0, or CLASS=N,CLASS=N, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none of these, or names a class twice.
    """
    if text in ("max", "median"):
        return text
    if "=" not in text:
        return positive_int(text)
    goals: dict[str, int] = {}
    for part in text.split(","):
        # Names of classes may hold "=".
        label, _, count = part.rpartition("=")
        if not label:
            raise argparse.ArgumentTypeError(f"needs CLASS=N,CLASS=N, got {text!r}")
        if label in goals:
            raise argparse.ArgumentTypeError(f"class {label!r} occurs twice in {text!r}")
        goals[label] = positive_int(count)
    return goals
