"""The number of images of each class of a balanced data set."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from fractions import Fraction

from tfrecords_tools.errors import InputError

MAX, MEDIAN = "max", "median"

Target = str | int | Mapping[str, int]
"""`max`, `median`, a number for every class, or numbers by class name."""


def check_target(target: Target) -> None:
    """Checks a target without class names.

    Raises:
        InputError: it is neither `max`, `median`, a number above 0 nor numbers above 0.
    """
    if isinstance(target, str) and target in (MAX, MEDIAN):
        return
    for value in target.values() if isinstance(target, Mapping) else [target]:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(
                "target must be 'max', 'median', a number above 0 or numbers above 0 by class, "
                f"got {target!r}"
            )


def goals(target: Target, counts: Mapping[str, int]) -> dict[str, int]:
    """Computes the number of images of each class, never fewer than it has.

    Args:
        target: "max" for the number of the largest class, "median" for the median of all classes
            (the lower one of two), a number, or a number for each named class.
        counts: real training images of each class.

    Raises:
        InputError: the target names a class that does not exist.
    """
    if isinstance(target, Mapping):
        if unknown := sorted(set(target) - set(counts)):
            raise InputError(f"target names class {unknown[0]!r}; there are {', '.join(counts)}")
        return {label: max(count, target.get(label, 0)) for label, count in counts.items()}
    named = {MAX: max(counts.values()), MEDIAN: statistics.median_low(counts.values())}
    number = named[target] if isinstance(target, str) else target
    return {label: max(count, number) for label, count in counts.items()}


def missing(
    target: Target, counts: Mapping[str, int], ratio: float | None = None
) -> dict[str, int]:
    """Computes the number of synthetic images that each class needs.

    Args:
        target: as in `goals`, which raises the same errors.
        counts: real training images of each class.
        ratio: most synthetic images for each real one; None for no limit.
    """
    needed = {label: goal - counts[label] for label, goal in goals(target, counts).items()}
    if ratio is None:
        return needed
    # The decimal number that was typed, because 0.29 as a binary float is a little less.
    exact = Fraction(str(ratio))
    return {label: min(count, math.floor(exact * counts[label])) for label, count in needed.items()}
