"""The planned comparison of a study: one use of synthetic images against one control.

Both are selected on validation images (`choose`). The test images give an interval for each of two
co-primary measures, over lesions, draws of the own images and seeds (`planned_difference`). They
also give one verdict (`judge`) and the size of the effect by class (`found_of_hundred`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility.differences import (
    GAIN,
    HARM,
    NEITHER,
    Difference,
    effective_lesions,
    paired_difference,
)
from skin_synth.evaluation.utility.metrics import mean_over_classes
from tfrecords_tools.errors import InputError

CO_PRIMARY_MEASURES = 2
"""Macro AUROC and class-balanced log loss; the intervals are corrected for this number."""


CEILING = 0.995
"""A control with a larger macro AUROC leaves no room for a gain."""


def no_room(control: float | None) -> str:
    """Returns words for a control, by its macro AUROC, that leaves no room; else none."""
    if control is None or control <= CEILING:
        return ""
    return f" (real images alone leave no room for a gain: their macro AUROC is above {CEILING})"


def choose(candidates: Sequence[str], macro_auroc: Mapping[str, npt.ArrayLike]) -> str:
    """Chooses the candidate with the best mean macro AUROC on validation images.

    Of equal candidates it takes the first. The seeds of this choice must not be in the comparison,
    because the chosen arm was lucky in them.

    Args:
        candidates: names of arms, one or more.
        macro_auroc: figures of all trainings by name, float[...].

    Raises:
        InputError: no candidate, or missing or infinite figures.
    """
    means = {
        name: float(np.asarray(macro_auroc.get(name, np.nan), np.float64).mean())
        for name in candidates
    }
    if not means or not np.isfinite(list(means.values())).all():
        raise InputError(f"needs candidates with finite validation figures, got {means}")
    return max(candidates, key=means.__getitem__)


def planned_difference(
    arm: np.ndarray,
    control: np.ndarray,
    *,
    groups: int,
    comparisons: int = CO_PRIMARY_MEASURES,
) -> Difference:
    """Computes the difference of a metric between two arms over lesions, draws and seeds.

    Seeds are nested in draws of the own images. Both are crossed with the test lesions. With L
    lesions, D draws and S seeds per draw, the mean difference has the variance

        lesions/L + draws/D + seeds/(D S) + lesions*draws/(L D) + lesions*seeds/(L D S)

    where each word is the variance component of that factor. Let Y be the mean over the seeds of a
    draw. The variance between the Y, over D, estimates all terms except the first: in a nested
    analysis of variance, the outermost random factor is the error term, which contains the seeds.
    The bootstrap of lesions estimates the first term and the last two, so the last two are counted
    twice. `paired_difference`, with the Y as its seeds, estimates them as V_both and subtracts
    them. So the interval is `paired_difference` of the Y. With one draw the outermost factor is the
    seeds, and the interval holds only for this draw.

    Satterthwaite's degrees of freedom are at least D - 1 (S - 1 with one draw). Draws that share
    images vary less than separate sites, so the interval holds for sites that draw from this pool.
    Each training of an arm is paired with that of the control at the same draw and seed.

    Args:
        arm: float[draws, seeds, replicates + 1], the metric under `resampling_weights`.
        control: the same of the control.
        groups: number of test lesions; of a mean over classes see `macro_difference`.
        comparisons: number of differences that the verdict uses.

    Raises:
        InputError: different shapes, one training only, fewer than two replicates, or values that
            are not finite.
    """
    if arm.shape != control.shape or arm.ndim != 3 or arm.shape[0] * arm.shape[1] < 2:
        raise InputError(
            "needs the same [draws, seeds, replicates + 1] of both arms, of two trainings or more, "
            f"got {list(arm.shape)} and {list(control.shape)}"
        )
    outermost = [
        each.mean(axis=1, dtype=np.float64) if len(each) > 1 else each[0] for each in (arm, control)
    ]
    return paired_difference(*outermost, groups=groups, comparisons=comparisons)


def macro_difference(
    arm: np.ndarray,
    control: np.ndarray,
    *,
    lesions: np.ndarray,
    comparisons: int = CO_PRIMARY_MEASURES,
) -> Difference:
    """Computes `planned_difference` of the mean over classes.

    A class with few lesions makes most of the noise of such a mean. So the degrees of freedom are
    those of `effective_lesions`, not of all lesions. Two measures of the same arms can have
    different ones.

    Args:
        arm: float[draws, seeds, replicates + 1, classes], the metric of each class under
            `resampling_weights`; NaN for a class without test images.
        control: the same of the control.
        lesions: int[classes], test lesions of each class.
        comparisons: number of differences that the verdict uses.

    Raises:
        InputError: one training only, fewer than two replicates, or values that are not finite.
    """
    of_lesions = (arm - control).mean(axis=(0, 1))[1:]
    return planned_difference(
        mean_over_classes(arm),
        mean_over_classes(control),
        groups=effective_lesions(of_lesions, lesions),
        comparisons=comparisons,
    )


def holm(p_values: npt.ArrayLike) -> np.ndarray:
    """Adjusts p-values, float[n], for n tests (Holm, Scand. J. Statist. 6:65, 1979): float64[n]."""
    found = np.asarray(p_values, np.float64)
    order = np.argsort(found, kind="stable")
    steps = np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1))
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


@dataclasses.dataclass(frozen=True)
class MeasureVerdict:
    """Result of one co-primary measure.

    Attributes:
        difference: use minus control; `corrected_low`, `corrected_high` are its simultaneous
            interval (Bonferroni).
        p_value: two-sided, without a correction.
        adjusted_p_value: after `holm`.
        words: `GAIN`, `HARM` or `NEITHER`, by the adjusted p-value.
    """

    difference: Difference
    p_value: float
    adjusted_p_value: float
    words: str


@dataclasses.dataclass(frozen=True)
class PlannedVerdict:
    """The verdict of a study: `GAIN`, `HARM` or `NEITHER`, and both measures."""

    words: str
    macro_auroc: MeasureVerdict
    log_loss: MeasureVerdict

    @property
    def only_shown_by(self) -> str:
        """Says which measure alone shows the gain or harm, and by how much; without a full stop.

        It is empty if both measures or none show it. It belongs after the figures of the macro
        AUROC: else a reader takes the verdict for that of the macro AUROC.
        """
        measures = {
            "macro AUROC": self.macro_auroc,
            "class-balanced log loss, where less is better,": self.log_loss,
        }
        shown = [name for name, each in measures.items() if each.words == self.words]
        if self.words == NEITHER or len(shown) > 1:
            return ""
        difference = measures[shown[0]].difference
        return (
            f"Only the {shown[0]} shows the {self.words.removesuffix(' shown')}: it differs by "
            f"{difference.difference:+z.3f} "
            f"({difference.corrected_low:+z.3f} to {difference.corrected_high:+z.3f})"
        )

    def sentence(self, use: str, control: str) -> str:
        """Returns the verdict and both differences in words; the arguments are names of arms."""
        area, loss = self.macro_auroc.difference, self.log_loss.difference
        return (
            f"{self.words}: {use} differs from {control} in macro AUROC by "
            f"{area.difference:+z.3f} ({area.corrected_low:+z.3f} to {area.corrected_high:+z.3f}; "
            f"{self.macro_auroc.words}) and in class-balanced log loss, where less is better, by "
            f"{loss.difference:+z.3f} ({loss.corrected_low:+z.3f} to {loss.corrected_high:+z.3f}; "
            f"{self.log_loss.words}); "
            f"simultaneous {LEVEL:.0%} intervals"
        )


def judge(macro_auroc: Difference, log_loss: Difference) -> PlannedVerdict:
    """Judges the planned comparison by two co-primary measures.

    A gain is shown if at least one measure shows a gain after Holm's correction and the other shows
    no harm; harm likewise; otherwise neither. One gain is enough, because better ranks and better
    probabilities each help a doctor. A gain in one with harm in the other is no gain. Holm's
    correction fits "at least one": without a true difference a gain or harm is shown in at most 5 %
    of studies. A gain required in both would need no correction, but more images.

    After one measure is shown, Holm tests the other at the full level. So it can show a difference
    whose simultaneous interval contains 0.

    Args:
        macro_auroc: of the use minus the control; a gain is positive.
        log_loss: of the class-balanced log loss, likewise; a gain is negative.
    """
    p_values = [macro_auroc.p_value, log_loss.p_value]
    adjusted = holm(p_values)
    area, loss = (
        MeasureVerdict(difference, p, float(corrected), _words(gain, float(corrected)))
        for difference, gain, p, corrected in zip(
            (macro_auroc, log_loss),
            (macro_auroc.difference, -log_loss.difference),
            p_values,
            adjusted,
            strict=True,
        )
    )
    shown = {area.words, loss.words} - {NEITHER}
    return PlannedVerdict(shown.pop() if len(shown) == 1 else NEITHER, area, loss)


@dataclasses.dataclass(frozen=True)
class FoundOfHundred:
    """Number of additional images of a class found at the same false alarms.

    Attributes:
        class_name: class of the images.
        difference: difference of the sensitivity, a share; None if it cannot be estimated.
        sentence: the difference in words.
    """

    class_name: str
    difference: Difference | None
    sentence: str


def found_of_hundred(
    class_names: Sequence[str], arm: np.ndarray, control: np.ndarray, *, groups: Sequence[int]
) -> tuple[FoundOfHundred, ...]:
    """Returns the difference of the sensitivity of each class in words.

    The intervals are for information, without a correction for the number of classes.

    Args:
        class_names: names of the last axis.
        arm: float[draws, seeds, replicates + 1, classes], sensitivities at one specificity, see
            `metrics.class_sensitivity_at_specificity`.
        control: the same of the control.
        groups: number of test lesions of each class.
    """
    return tuple(
        _found_of_hundred(name, arm[..., label], control[..., label], groups[label])
        for label, name in enumerate(class_names)
    )


def _found_of_hundred(
    name: str, arm: np.ndarray, control: np.ndarray, groups: int
) -> FoundOfHundred:
    if groups < 2 or not (np.isfinite(arm).all() and np.isfinite(control).all()):
        sentence = f"of 100 images of {name}: too few lesions in the test images to say"
        return FoundOfHundred(name, None, sentence)
    found = planned_difference(arm, control, groups=groups, comparisons=1)
    middle, low, high = (_more(each) for each in (found.difference, found.low, found.high))
    if found.low <= 0 <= found.high:
        sentence = (
            f"no difference is shown for {name} ({LEVEL:.0%} interval: of 100 images, {low} to "
            f"{high} are found at the same false alarms)"
        )
    else:
        sentence = (
            f"of 100 images of {name}, {middle} are found at the same false alarms "
            f"({LEVEL:.0%} interval: {low} to {high})"
        )
    return FoundOfHundred(name, found, sentence)


def _more(share: float) -> str:
    number = round(100 * min(max(share, -1.0), 1.0))
    return f"{abs(number)} {'more' if number > 0 else 'fewer'}" if number else "as many"


def _words(gain: float, adjusted_p_value: float) -> str:
    if adjusted_p_value > 1 - LEVEL or not gain:
        return NEITHER
    return GAIN if gain > 0 else HARM
