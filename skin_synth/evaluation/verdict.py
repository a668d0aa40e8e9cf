"""The verdict: which faults the figures prove, each with its test, statistic and p-value.

All tests together accuse a faultless generator in at most `ALPHA` of cases: the level is divided
by the kinds of tests and by the classes (Bonferroni). Where that leaves too few images to prove
anything, the report says so; no fault found is not proof of none.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from skin_synth.evaluation import faults
from skin_synth.evaluation.faults import MISNAMED, Fault
from skin_synth.evaluation.power import untested

ALPHA = 0.01
KINDS = (
    "copies by pixels",
    "copies by features",
    "equal images",
    "duplicates",
    "class shown",
    "variety by features",
    "variety by profiles",
    "blur",
    "noise",
    "difference",
    "appearance",
    "lesion found",
)
"""Tests that are made of the whole set and of each class."""
NOT_MEASURED = "not measured"
"""What is said of use where no utility study was made."""


def level(classes: int) -> float:
    """Below which a p-value names a fault, where there are so many classes."""
    return ALPHA / len(KINDS) / (classes + 1)


def judge_all(results: dict[str, Any]) -> dict[str, Any]:
    """The verdict on all figures.

    Args:
        results: what report.json holds, but verdict and summary; `utility` may be left out.

    Returns:
        alpha, threshold (of each p-value), faults (plain values, the gravest first),
        untested: kinds of tests and the classes that had too few images for them; and use: what
        the utility study found, or that none was made.
    """
    names = tuple(results["data"]["class_names"])
    threshold = level(len(names))
    of_classes = list(faults.class_shown(results["faithfulness"], names, threshold))
    found = [
        *faults.leak(results["images"]["groups_in_train_and_test"]),
        *_unless_misnamed(faults.copies(results["copies"], names, threshold), of_classes),
        *of_classes,
        *_unless_misnamed(
            itertools.chain(
                faults.texture(results["texture"], names, threshold),
                faults.variety(results["variety"], results["profiles"], names, threshold),
                faults.duplicates(results["copies"]["duplicates"], names, threshold),
                faults.no_lesion(results["appearance"], names, threshold),
                faults.drift(results["appearance"], names, threshold),
                faults.difference(results["difference"], names, threshold),
            ),
            of_classes,
        ),
    ]
    return {
        "alpha": ALPHA,
        "threshold": threshold,
        "faults": [{**dataclasses.asdict(fault), "classes": [*fault.classes]} for fault in found],
        "untested": untested(results, names, threshold),
        "use": results["utility"]["verdict"]["words"] if "utility" in results else NOT_MEASURED,
    }


def _unless_misnamed(found: Iterable[Fault], of_classes: list[Fault]) -> Iterator[Fault]:
    """The faults but those of classes that show another class: their yardstick is the wrong one."""
    misnamed = {name for fault in of_classes if fault.fault in MISNAMED for name in fault.classes}
    for fault in found:
        if not fault.classes or set(fault.classes) - misnamed:
            yield fault
