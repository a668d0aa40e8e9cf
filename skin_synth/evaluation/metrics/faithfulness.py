"""Class faithfulness: do synthetic images show the class that was requested?"""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.evaluation.features.classifier import Classifier, confusion, faithfulness
from skin_synth.evaluation.image_sets import ImageSets
from skin_synth.evaluation.statistics.intervals import share_interval


@dataclasses.dataclass(frozen=True)
class JudgeInfo:
    """The classifier that judges: sha256 of its weights, its seed and training steps."""

    sha256: str
    seed: int
    steps: int


@dataclasses.dataclass(frozen=True)
class JudgedImages:
    """The classes that the judge assigns to images.

    Attributes:
        n: images.
        mean: over classes, of the share assigned to the right class.
        classes: that share by class; None for a class without images.
        intervals: ends of its 95 % interval by class; None for a class without images.
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
    """Class faithfulness of synthetic images, with accuracy on held-out real ones.

    Attributes:
        judge: the classifier.
        synthetic: synthetic images.
        real: held-out real images.
    """

    judge: JudgeInfo
    synthetic: JudgedImages
    real: JudgedRealImages


def judge_classes(judge: Classifier, sets: ImageSets) -> Faithfulness:
    """Measures class faithfulness of synthetic images, and accuracy on held-out real ones.

    Args:
        judge: trained on the real training images, with another seed than the extractor.
        sets: the images.
    """
    names, test = judge.class_names, sets.test

    def assigned(images: np.ndarray) -> np.ndarray:
        return judge.predict(images).argmax(axis=1)

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

    real, independent = assigned(test.images), sets.independent
    of_lesions = confusion(test.labels[independent], real[independent], len(names))
    return Faithfulness(
        JudgeInfo(judge.weights_hash, judge.seed, judge.steps),
        judged(sets.requested_labels, assigned(sets.synthetic)),
        JudgedRealImages(
            **vars(judged(test.labels, real)), confusion_of_lesions=of_lesions.tolist()
        ),
    )


def _ends(hits: int, count: int) -> tuple[float, float] | None:
    found = share_interval(hits, count) if count else None
    return None if found is None else (found.low, found.high)
