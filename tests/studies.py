"""Results of a utility study, written by hand."""

from __future__ import annotations

from skin_synth.evaluation.utility.differences import NEITHER, Difference
from skin_synth.evaluation.utility.results import (
    ArmDifference,
    MetricDifferences,
    UtilityResults,
    UtilityVerdict,
)


def arm_difference(arm="real + synthetic 1:1", verdict=NEITHER, low=-0.02, high=0.02):
    """A difference with a corrected interval that is wider by 0.01 at both ends."""
    found = Difference((low + high) / 2, 0.01, 9.0, low, high, low - 0.01, high + 0.01)
    metrics = MetricDifferences(found, found)
    return ArmDifference(arm, "cnn", 1.0, "real", metrics, {}, {"real": found}, verdict)


def study_of(*entries, words=NEITHER):
    """A study of these differences, with only what charts and sentences need."""
    return UtilityResults(
        protocol=None,
        images=None,
        arms=(),
        best_control={"cnn": "real"},
        differences=entries or (arm_difference(verdict=words),),
        verdict=UtilityVerdict(words, max(len(entries), 1), f"{words}: by hand"),
        warnings=(),
    )
