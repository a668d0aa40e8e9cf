"""Which tests of the verdict could prove a fault at all, with this number of images."""

from __future__ import annotations

from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.copies import Nearness, Threshold
from skin_synth.evaluation.results import MeasuredFigures
from skin_synth.evaluation.statistics.significance import fisher
from skin_synth.evaluation.verdict.checks import SMALLEST_LOSS


def untested(figures: MeasuredFigures, threshold: float) -> dict[str, list[str]]:
    """Returns by kind of test the classes with too few images to prove a fault.

    Args:
        figures: what was measured.
        threshold: the p-value below which a fault is proven.
    """
    provable = [
        _provable(figures, label, name, threshold) for label, name in enumerate(figures.class_names)
    ]
    found = {
        kind: [
            name
            for name, kinds in zip(figures.class_names, provable, strict=True)
            if not kinds[kind]
        ]
        for kind in provable[0]
    }
    return {kind: names for kind, names in found.items() if names}


def _provable(figures: MeasuredFigures, label: int, name: str, threshold: float) -> dict[str, bool]:
    """Says of each kind of test whether it could prove a fault of a class."""
    near = [search.classes[name] for search in (figures.copies.pixels, figures.copies.features)]
    duplicates = figures.copies.duplicates.classes[name]
    asked = figures.faithfulness.synthetic.confusion[label]
    real = figures.faithfulness.real.confusion_of_lesions[label]
    appearance = figures.appearance.classes[name]
    lesions = appearance.lesions
    return {
        "copies": any(
            part is not None and _smallest_p_value(part.absolute) < threshold for part in near
        ),
        "duplicates": duplicates is not None
        and _smallest_p_value(duplicates, within=True) < threshold,
        "class shown": _loss_shows(sum(asked), real[label], sum(real), threshold),
        "variety": any(found.classes[name] for found in (figures.variety, figures.profiles)),
        "difference": figures.difference.classes[name] is not None,
        "lesion found": _loss_shows(
            lesions.n_synthetic, lesions.found_real, lesions.n_real, threshold
        ),
        **{
            f"appearance ({measure.replace('_', ' ')})": appearance.measures[measure].test
            is not None
            for measure in MEASURES
        },
    }


def _loss_shows(lost: int, hits: int, count: int, threshold: float) -> bool:
    """Says whether a test would prove that synthetic images lack what these real ones show."""
    return hits >= SMALLEST_LOSS * count and fisher(0, lost, hits, count) < threshold


def _smallest_p_value(part: Nearness, *, within: bool = False) -> float:
    """Returns the p-value if every image were a copy of another image.

    Args:
        part: figures of nearness.
        within: the distances are within one set, see `copies.Threshold.p_value`.
    """
    others = max(part.n_yardstick - part.yardstick_same, part.rank)
    threshold = Threshold(0.0, part.rank, others, part.yardstick_same)
    return threshold.p_value(part.n, part.n, paired=within, mutual=within)
