"""The verdict: which faults the figures prove, each with its test, statistic and p-value.

All tests together accuse a faultless generator in at most `ALPHA` of cases: the level is divided
by the kinds of tests and by the classes (Bonferroni). Where that leaves too few images to prove
anything, the report says so; no fault found is not proof of none.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from skin_synth.evaluation.verdict import checks as faults
from skin_synth.evaluation.verdict.accusation import Terms
from skin_synth.evaluation.verdict.detectable import untested

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
    terms = Terms(names, level(len(names)))
    of_classes = list(faults.class_shown(results["faithfulness"], terms))
    terms = terms.after(of_classes)
    found = [
        *faults.leak(results["images"]["groups_in_train_and_test"]),
        *faults.copies(results["copies"], terms),
        *of_classes,
        *faults.texture(results["texture"], terms),
        *faults.variety(results["variety"], results["profiles"], terms),
        *faults.duplicates(results["copies"]["duplicates"], terms),
        *faults.no_lesion(results["appearance"], terms),
        *faults.drift(results["appearance"], terms),
        *faults.difference(results["difference"], terms),
    ]
    return {
        "alpha": ALPHA,
        "threshold": terms.threshold,
        "faults": [{**dataclasses.asdict(fault), "classes": [*fault.classes]} for fault in found],
        "untested": untested(results, names, terms.threshold),
        "use": results["utility"]["verdict"]["words"] if "utility" in results else NOT_MEASURED,
    }
