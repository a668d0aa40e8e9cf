"""The verdict: the faults that the figures prove, each with its test, statistic and p-value.

All tests together find a fault of a faultless generator in at most `ALPHA` of cases, because the
level is divided by the kinds of tests and by the classes (Bonferroni). If that leaves too few
images to prove anything, the report says so. No fault found does not prove that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skin_synth.evaluation.look_alikes import NO_LEAK, Leak
from skin_synth.evaluation.results import MeasuredFigures, Verdict
from skin_synth.evaluation.utility.results import UtilityResults
from skin_synth.evaluation.verdict import checks
from skin_synth.evaluation.verdict.context import VerdictContext
from skin_synth.evaluation.verdict.detectable import unmeasured, untested

ALPHA = 0.01
KINDS_OF_TESTS = (
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
"""Kinds of tests; each is made for the whole set and for each class."""
NOT_MEASURED = "not measured"
"""The words about utility without a utility study."""


def level(classes: int) -> float:
    """Returns the p-value below which a fault is proven, for a number of classes."""
    return ALPHA / len(KINDS_OF_TESTS) / (classes + 1)


def permutations_for(classes: int) -> int:
    """Returns the number of permutations that a test needs for a p-value below the level."""
    return round(2 / level(classes))


def reach_verdict(
    figures: MeasuredFigures,
    *,
    leak: Leak = NO_LEAK,
    equal_to_real: Mapping[str, Sequence[str]] | None = None,
    utility: UtilityResults | None = None,
) -> Verdict:
    """Returns the verdict.

    `leak` is what the splits share. `equal_to_real` are files of
    synthetic images that equal a real image, by split.
    """
    names = figures.class_names
    context = VerdictContext(names, level(len(names)))
    class_faults = [*checks.class_shown(figures.faithfulness, context)]
    context = context.after(class_faults)
    return Verdict(
        alpha=ALPHA,
        threshold=context.threshold,
        faults=(
            *checks.leak(leak),
            *checks.real_images(equal_to_real or {}),
            *checks.copies(figures.copies, context),
            *class_faults,
            *checks.texture(figures.texture, context),
            *checks.variety(figures.variety, figures.profiles, context),
            *checks.duplicates(figures.copies.duplicates, context),
            *checks.no_lesion(figures.appearance, context),
            *checks.drift(figures.appearance, context),
            *checks.difference(figures.difference, context),
        ),
        untested=untested(figures, context.threshold),
        unmeasured=unmeasured(figures),
        use=NOT_MEASURED if utility is None else utility.verdict.words,
    )
