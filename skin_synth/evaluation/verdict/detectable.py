"""Finds the tests of the verdict that cannot prove a fault with this number of images."""

from __future__ import annotations

from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.copies import Nearness, Threshold
from skin_synth.evaluation.metrics.drift import FEWEST_FOR_DRIFT
from skin_synth.evaluation.results import MeasuredFigures
from skin_synth.evaluation.statistics.significance import fisher
from skin_synth.evaluation.verdict.checks import SMALLEST_LOSS


def untested(figures: MeasuredFigures, threshold: float) -> dict[str, list[str]]:
    """Returns, by kind of test, the classes with too few images to prove a fault."""
    found: dict[str, list[str]] = {}
    for label, name in enumerate(figures.class_names):
        for kind, provable in _provable(figures, label, name, threshold).items():
            found.setdefault(kind, []).extend([] if provable else [name])
    return {kind: names for kind, names in found.items() if names}


def unmeasured(figures: MeasuredFigures) -> dict[str, list[str]]:
    """Returns, by kind of test, the classes with enough images but too few measured ones."""
    found: dict[str, list[str]] = {}
    for name, part in figures.appearance.classes.items():
        for measure, drift in part.measures.items():
            counts = [each.n + each.unmeasured for each in (drift.real, drift.synthetic) if each]
            if drift.test is None and min(counts, default=0) >= FEWEST_FOR_DRIFT:
                found.setdefault(_appearance(measure), []).append(name)
    return found


def _appearance(measure: str) -> str:
    return f"appearance ({measure.replace('_', ' ')})"


def _provable(figures: MeasuredFigures, label: int, name: str, threshold: float) -> dict[str, bool]:
    near = [search.classes[name] for search in (figures.copies.pixels, figures.copies.features)]
    duplicates = figures.copies.duplicates.classes[name]
    requested = figures.faithfulness.synthetic.confusion[label]
    real = figures.faithfulness.real.confusion_of_lesions[label]
    appearance = figures.appearance.classes[name]
    lesions, measures = appearance.lesions, appearance.measures
    return {
        "copies": any(
            part is not None and _smallest_p_value(part.absolute) < threshold for part in near
        ),
        "duplicates": duplicates is not None
        and _smallest_p_value(duplicates, within=True) < threshold,
        "class shown": _loss_shows(sum(requested), real[label], sum(real), threshold),
        "variety": any(found.classes[name] for found in (figures.variety, figures.profiles)),
        "difference": figures.difference.classes[name] is not None,
        "lesion found": _loss_shows(
            lesions.n_synthetic, lesions.found_real, lesions.n_real, threshold
        ),
        **{_appearance(measure): measures[measure].test is not None for measure in MEASURES},
    }


def _loss_shows(lost: int, hits: int, count: int, threshold: float) -> bool:
    """Returns whether a test could prove that synthetic images lack what these real ones have."""
    return hits >= SMALLEST_LOSS * count and fisher(0, lost, hits, count) < threshold


def _smallest_p_value(part: Nearness, *, within: bool = False) -> float:
    """Returns the p-value if every image were a copy, for distances to others or within a set."""
    others = max(part.n_yardstick - part.yardstick_same, part.rank)
    threshold = Threshold(0.0, part.rank, others, part.yardstick_same)
    return threshold.p_value(part.n, part.n, paired=within, mutual=within)
