"""Alarms of training: classes that collapse, a discriminator that runs away.

Each alarm says what is wrong, the figures that show it, and which field of the preset to change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

COLLAPSE_SHARE = 0.5
"""A class has collapsed below this share of the variety of its real training images.

Measured on HAM10000 at 32 pixels with the classifier's features, as means over images of a class:
one image in all its flips and turns has 0.21 to 0.28, one image lighter and darker by 10 % 0.17 to
0.38, two images in their flips and turns 0.58 to 0.72. A generator has 0.45 to 0.64 after 3,000
images, 0.59 and more from 5,000 on.
"""
RUNAWAY_LOGITS = 3.0
"""The distance of real and fake logits, averaged over an epoch, is too large above this."""
RUNAWAY_EPOCHS = 5
"""Epochs in a row with this distance that raise the alarm."""


@dataclasses.dataclass(frozen=True)
class Alarm:
    """A present fault of training; two alarms with one subject are one occurrence."""

    subject: str
    line: str


def mean_distance(features: np.ndarray) -> float:
    """Averages the Euclidean distance over all pairs of float[n, d], n of 2 or more."""
    features = features.astype(np.float64)
    pairs = [np.linalg.norm(features[i + 1 :] - features[i], axis=1) for i in range(len(features))]
    return float(np.concatenate(pairs).mean())


def collapsed(synthetic: Mapping[str, float], real: Mapping[str, float]) -> list[Alarm]:
    """Finds the classes whose synthetic images vary less than `COLLAPSE_SHARE` of the real ones.

    Args:
        synthetic: by class, `mean_distance` of some synthetic images' features.
        real: by class, the same of real training images.
    """
    return [
        Alarm(
            f"class {label}",
            f"class {label} collapses: its synthetic images differ by {figure:.3g} in mean, its "
            f"real ones by {real[label]:.3g} ({figure / real[label]:.0%}, below "
            f"{COLLAPSE_SHARE:.0%}). Start a new run with a higher augment_probability, or a "
            "sampling_exponent nearer to 1 (--set FIELD=VALUE); until then, use the best "
            "checkpoint",
        )
        for label, figure in synthetic.items()
        if figure < COLLAPSE_SHARE * real.get(label, 0.0)
    ]


def runaway(logit_gaps: Sequence[float]) -> list[Alarm]:
    """Finds a discriminator that has been too strong for long.

    Args:
        logit_gaps: real logit - fake logit, averaged over each epoch, the latest last.

    Returns:
        One alarm if each of the last `RUNAWAY_EPOCHS` is above `RUNAWAY_LOGITS`.
    """
    latest = logit_gaps[-RUNAWAY_EPOCHS:]
    if len(latest) < RUNAWAY_EPOCHS or not min(latest) > RUNAWAY_LOGITS:
        return []
    return [
        Alarm(
            "discriminator",
            f"the discriminator runs away: real and fake logits have been {min(latest):.1f} or "
            f"more apart for {RUNAWAY_EPOCHS} epochs (limit {RUNAWAY_LOGITS:g}). Start a new run "
            "with a higher gamma, or a higher augment_probability if the data are few (--set "
            "FIELD=VALUE)",
        )
    ]


def begun(before: Sequence[Alarm], now: Sequence[Alarm]) -> list[Alarm]:
    """Returns the alarms of `now` whose subject has no alarm in `before`."""
    known = {alarm.subject for alarm in before}
    return [alarm for alarm in now if alarm.subject not in known]
