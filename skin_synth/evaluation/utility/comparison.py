"""From predictions of all arms to figures, differences and a verdict: plain values for JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility import differences as statistics
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arms import CONTROL, MIXED, Arm

PRIMARY = "macro_auroc"
"""The metric of the verdict; the others are for information."""
BOOTSTRAPPED = {
    "macro_auroc": metrics.macro_auroc,
    "balanced_accuracy": metrics.balanced_accuracy,
}

Replicates = dict[str, np.ndarray]
"""By metric: float64[seeds, replicates + 1], `sensitivity` [seeds, replicates + 1, classes]."""


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Images that classifiers were tested on.

    Attributes:
        labels: int64[n].
        groups: n lesions or patients.
        class_names: in the order of the labels.
    """

    labels: np.ndarray
    groups: tuple[str, ...]
    class_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Of one arm and classifier.

    Attributes:
        arm: what it was trained on.
        classifier: name of the kind of classifier.
        validation: float32[seeds, m, classes].
        test: float32[seeds, n, classes].
    """

    arm: Arm
    classifier: str
    validation: np.ndarray
    test: np.ndarray


def compare(
    predictions: Sequence[Predictions],
    validation: HeldOut,
    test: HeldOut,
    *,
    replicates: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Figures of all arms, differences to the best control of each classifier, and the verdict.

    The best control is the one of the highest `PRIMARY` on validation images, so that the choice
    knows nothing of the test images and the difference on them has no bias.

    Args:
        predictions: of every arm with every classifier.
        validation: what controls are chosen by.
        test: what everything else is measured on.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        `arms`, `best_control`, `differences` and `verdict`; `docs/evaluation.md` describes them.
    """
    weights = statistics.resampling_weights(
        test.groups, test.labels, replicates=replicates, seed=seed
    )
    resampled = [_replicates(entry.test, test.labels, weights) for entry in predictions]
    scores = [
        float(np.mean([metrics.macro_auroc(validation.labels, p) for p in entry.validation]))
        for entry in predictions
    ]
    best = _best_controls(predictions, scores)
    comparisons = sum(entry.arm.kind == MIXED for entry in predictions)
    groups = len(set(test.groups))
    differences = []
    for entry, values in zip(predictions, resampled, strict=True):
        if entry.arm.kind == CONTROL:
            continue
        controls = {
            other.arm.name: other_values
            for other, other_values in zip(predictions, resampled, strict=True)
            if other.arm.kind == CONTROL and other.classifier == entry.classifier
        }
        control = best[entry.classifier]
        differences.append(
            _difference(entry, values, controls, control, groups, comparisons, test.class_names)
        )
    return {
        "arms": [
            _arm(entry, score, test) for entry, score in zip(predictions, scores, strict=True)
        ],
        "best_control": best,
        "differences": differences,
        "verdict": _verdict(differences, comparisons),
    }


def _replicates(test: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Replicates:
    found = {
        name: np.stack([metric(labels, probabilities, weights) for probabilities in test])
        for name, metric in BOOTSTRAPPED.items()
    }
    found["sensitivity"] = np.stack([metrics.sensitivity(labels, p, weights) for p in test])
    return found


def _best_controls(predictions: Sequence[Predictions], scores: Sequence[float]) -> dict[str, str]:
    best: dict[str, tuple[float, str]] = {}
    for entry, score in zip(predictions, scores, strict=True):
        if entry.arm.kind == CONTROL and score > best.get(entry.classifier, (-math.inf, ""))[0]:
            best[entry.classifier] = (score, entry.arm.name)
    return {name: arm for name, (_, arm) in best.items()}


def _difference(
    entry: Predictions,
    values: Replicates,
    controls: Mapping[str, Replicates],
    control: str,
    groups: int,
    comparisons: int,
    class_names: Sequence[str],
) -> dict[str, Any]:
    def to(other: str, metric: str) -> statistics.Difference:
        return statistics.paired_difference(
            values[metric], controls[other][metric], groups=groups, comparisons=comparisons
        )

    def of_class(label: int) -> dict[str, Any] | None:
        ours = values["sensitivity"][..., label]
        theirs = controls[control]["sensitivity"][..., label]
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            return None
        return dataclasses.asdict(
            statistics.paired_difference(ours, theirs, groups=groups, comparisons=comparisons)
        )

    against_all = {other: to(other, PRIMARY) for other in controls}
    words = statistics.verdict(against_all[control], list(against_all.values()))
    return {
        "arm": entry.arm.name,
        "classifier": entry.classifier,
        "ratio": _ratio(entry.arm),
        "control": control,
        "metrics": {metric: dataclasses.asdict(to(control, metric)) for metric in BOOTSTRAPPED},
        "sensitivity": {name: of_class(label) for label, name in enumerate(class_names)},
        "against_every_control": {
            other: dataclasses.asdict(found) for other, found in against_all.items()
        },
        "verdict": words if entry.arm.kind == MIXED else None,
    }


def _arm(entry: Predictions, score: float, test: HeldOut) -> dict[str, Any]:
    """Figures of one arm and classifier: mean, standard deviation and values over seeds."""
    each = [metrics.figures(test.labels, found, test.class_names) for found in entry.test]

    def over_seeds(values: Sequence[Any]) -> dict[str, Any]:
        if isinstance(values[0], dict):
            return {name: over_seeds([value[name] for value in values]) for name in values[0]}
        if not np.isfinite(values).all():
            return {"mean": None, "sd": None, "seeds": [_plain(value) for value in values]}
        sd = float(np.std(values, ddof=1))
        return {"mean": float(np.mean(values)), "sd": sd, "seeds": list(values)}

    return {
        "arm": entry.arm.name,
        "classifier": entry.classifier,
        "kind": entry.arm.kind,
        "ratio": _ratio(entry.arm),
        f"validation_{PRIMARY}": _plain(score),
        "figures": over_seeds(each),
    }


def _verdict(differences: Sequence[Mapping[str, Any]], comparisons: int) -> dict[str, Any]:
    judged = [entry for entry in differences if entry["verdict"] is not None]
    words = statistics.overall([entry["verdict"] for entry in judged])
    telling = [entry for entry in judged if entry["verdict"] == words]
    sign = -1 if words == statistics.HARM else 1
    told = max(telling, key=lambda entry: sign * entry["metrics"][PRIMARY]["difference"])
    found = told["metrics"][PRIMARY]
    ends = f"{found['corrected_low']:+.3f} to {found['corrected_high']:+.3f}"
    return {
        "words": words,
        "comparisons": comparisons,
        "sentence": (
            f"{words}: {told['arm']} ({told['classifier']}) differs in macro AUROC by "
            f"{found['difference']:+.3f} from the best classical control, {told['control']} "
            f"({LEVEL:.0%} interval {ends}, corrected for {comparisons} comparisons)"
        ),
    }


def _ratio(arm: Arm) -> float | None:
    return arm.ratio if math.isfinite(arm.ratio) else None


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
