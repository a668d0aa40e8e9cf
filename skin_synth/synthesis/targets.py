"""How many images each class is to have."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tfrecords_tools.errors import InputError

MAX, MEDIAN = "max", "median"

Target = str | int | Mapping[str, int]
"""`max`, `median`, a number for every class, or numbers by class name."""


def goals(target: Target, counts: Mapping[str, int]) -> dict[str, int]:
    """Images that each class is to have; never fewer than it has.

    Args:
        target: "max" for those of the largest class, "median" for the median of all classes
            (the lower one of two), a number, or a number for each class named.
        counts: real training images in each class.

    Raises:
        InputError: no such target, or a class that does not exist.
    """
    wanted: dict[str, Any]
    if isinstance(target, Mapping):
        wanted = dict(target)
        if unknown := sorted(set(wanted) - set(counts)):
            raise InputError(f"target names class {unknown[0]!r}; there are {', '.join(counts)}")
    elif target == MAX:
        wanted = dict.fromkeys(counts, max(counts.values()))
    elif target == MEDIAN:
        wanted = dict.fromkeys(counts, statistics.median_low(counts.values()))
    else:
        wanted = dict.fromkeys(counts, target)
    for value in wanted.values():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(
                "target must be 'max', 'median', a number above 0 or numbers above 0 by class, "
                f"got {target!r}"
            )
    return {label: max(count, wanted.get(label, 0)) for label, count in counts.items()}


def missing(
    target: Target, counts: Mapping[str, int], ratio: float | None = None
) -> dict[str, int]:
    """Synthetic images that each class needs.

    Args:
        target: see `goals`.
        counts: real training images in each class.
        ratio: synthetic images for each real one, at the most; None for no limit.

    Raises:
        InputError: see `goals`; or a ratio that is not above 0.
    """
    if ratio is not None and not 0 < ratio < float("inf"):
        raise InputError(f"ratio must be a number above 0, got {ratio}")
    needed = {label: goal - counts[label] for label, goal in goals(target, counts).items()}
    if ratio is None:
        return needed
    # As the ratio is written: 0.29 of binary digits is a little less.
    exact = Fraction(str(ratio))
    return {label: min(count, math.floor(exact * counts[label])) for label, count in needed.items()}
