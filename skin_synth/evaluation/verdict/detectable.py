"""Which tests of the verdict could prove a fault at all, with so many images."""

from __future__ import annotations

from typing import Any

from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.copies import Threshold
from skin_synth.evaluation.statistics.significance import fisher
from skin_synth.evaluation.verdict.checks import SMALLEST_LOSS


def untested(
    results: dict[str, Any], names: tuple[str, ...], threshold: float
) -> dict[str, list[str]]:
    """By kind of test, the classes with too few images for a fault to be proven at all.

    Args:
        results: what report.json holds, but verdict and summary.
        names: the classes, in the order of their labels.
        threshold: of a p-value that names a fault.
    """
    copied, faithful = results["copies"], results["faithfulness"]
    measured = results["appearance"]["classes"]
    real = faithful["real"]["confusion_of_lesions"]
    asked = faithful["synthetic"]["confusion"]

    def provable(kind: str, name: str) -> bool:
        label = names.index(name)
        if kind == "copies":
            parts = (copied[space]["classes"][name] for space in ("pixels", "features"))
            return any(part is not None and _least(part["absolute"]) < threshold for part in parts)
        if kind == "duplicates":
            part = copied["duplicates"]["classes"][name]
            return part is not None and _least(part, within=True) < threshold
        if kind == "variety":
            parts = (results[features]["classes"][name] for features in ("variety", "profiles"))
            return any(part is not None for part in parts)
        if kind == "class shown":
            return _loss_shows(sum(asked[label]), real[label][label], sum(real[label]), threshold)
        if kind == "lesion found":
            lesions = measured[name]["lesions"]
            return _loss_shows(
                lesions["n_synthetic"], lesions["found_real"], lesions["n_real"], threshold
            )
        return results[kind]["classes"][name] is not None

    kinds = ("copies", "duplicates", "class shown", "variety", "difference", "lesion found")
    found = {kind: [name for name in names if not provable(kind, name)] for kind in kinds}
    for measure in MEASURES:
        kind = f"appearance ({measure.replace('_', ' ')})"
        found[kind] = [
            name for name in names if measured[name]["measures"][measure]["test"] is None
        ]
    return {kind: classes for kind, classes in found.items() if classes}


def _loss_shows(lost: int, hits: int, count: int, threshold: float) -> bool:
    """Whether it would be proven that synthetic images lack what so many real ones show."""
    return hits >= SMALLEST_LOSS * count and fisher(0, lost, hits, count) < threshold


def _least(part: dict[str, Any], *, within: bool = False) -> float:
    """The p-value of images that all are copies, each of another image.

    Args:
        part: figures of nearness.
        within: the distances are within one set, see `copies.Threshold.p_value`.
    """
    others = max(part["n_yardstick"] - part["yardstick_same"], part["rank"])
    threshold = Threshold(0.0, part["rank"], others, part["yardstick_same"])
    return threshold.p_value(part["n"], part["n"], paired=within, mutual=within)
