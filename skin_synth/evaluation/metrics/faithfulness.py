"""Class faithfulness: do synthetic images show the class that was requested?"""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.evaluation.features.classifier import Classifier, confusion, faithfulness
from skin_synth.evaluation.image_sets import ImageSets
from skin_synth.evaluation.statistics.intervals import share_interval


@dataclasses.dataclass(frozen=True)
class JudgeInfo:
    """The judge, a classifier: sha256 of its weights, its seed and training steps."""

    sha256: str
    seed: int
    steps: int


@dataclasses.dataclass(frozen=True)
class JudgedImages:
    """The classes that the judge assigns to `n` images; None for a class without images.

    Attributes:
        mean: mean over classes of the share assigned to the right class.
        classes: that share by class.
        intervals: ends of its 95 % interval by class.
        confusion: images by requested or true class (rows) and assigned class (columns).
    """

    n: int
    mean: float
    classes: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    confusion: list[list[int]]


@dataclasses.dataclass(frozen=True)
class JudgedRealImages(JudgedImages):
    """The same of real images; `confusion_of_lesions` has one image of each lesion."""

    confusion_of_lesions: list[list[int]]


@dataclasses.dataclass(frozen=True)
class Faithfulness:
    """Class faithfulness of synthetic images, with accuracy on held-out real ones."""

    judge: JudgeInfo
    synthetic: JudgedImages
    real: JudgedRealImages


def judge_classes(judge: Classifier, sets: ImageSets) -> Faithfulness:
    """Measures class faithfulness, and accuracy on held-out real images.

    The judge is trained on the real training images, with another seed than the extractor.
    """
    names, test = judge.class_names, sets.test

    def judged(labels: np.ndarray, found: np.ndarray) -> JudgedImages:
        matrix = confusion(labels, found, len(names))
        mean, shares = faithfulness(matrix)
        intervals = map(_ends, matrix.diagonal().tolist(), matrix.sum(axis=1).tolist())
        return JudgedImages(
            n=len(labels),
            mean=mean,
            classes=dict(zip(names, shares, strict=True)),
            intervals=dict(zip(names, intervals, strict=True)),
            confusion=matrix.tolist(),
        )

    real, independent = judge.predict(test.images).argmax(axis=1), sets.independent
    of_lesions = confusion(test.labels[independent], real[independent], len(names))
    return Faithfulness(
        JudgeInfo(judge.weights_hash, judge.seed, judge.steps),
        judged(sets.requested_labels, judge.predict(sets.synthetic).argmax(axis=1)),
        JudgedRealImages(
            **vars(judged(test.labels, real)), confusion_of_lesions=of_lesions.tolist()
        ),
    )


def _ends(hits: int, count: int) -> tuple[float, float] | None:
    if not count:
        return None
    found = share_interval(hits, count)
    return found.low, found.high
