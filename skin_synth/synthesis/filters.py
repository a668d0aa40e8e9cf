"""Decides which candidates are kept; the limits come from held-out real images."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.classifier import (
    Classifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from skin_synth.evaluation.metrics.copies import COPY_PERCENTILE, FEW_HELD_OUT
from skin_synth.evaluation.metrics.manifold import RealismSearch
from skin_synth.evaluation.metrics.nearest import NearestImages, nearest
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import parse_json, typed
from tfrecords_tools.npz_reading import read_npz

KEPT = "kept"
EXACT_COPY, NEAR_TRAINING = "exact_copy", "near_training_image"
OTHER_CLASS, UNREALISTIC, NEAR_DUPLICATE = "other_class", "unrealistic", "near_duplicate"
REASONS = (EXACT_COPY, NEAR_TRAINING, OTHER_CLASS, UNREALISTIC, NEAR_DUPLICATE)
"""Reasons for which a candidate is dropped, in the order of the tests."""
REALISM_PERCENTILE = 5.0
"""Percentage of held-out real images that score below the limit."""
PAIRWISE_IMAGES = 128
"""At most this many images are compared in all pairs at once."""
ENOUGH_FOR_REALISM = 20
"""Number of held-out images of a class for its own limit of realism."""
PAIRED_IMAGES = 500
"""Most training images of a class that are compared with those of other lesions."""
MANIFOLD_IMAGES_PER_CLASS = 400
"""Most training images of a class that span its part of the manifold."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Measurements of n images.

    Attributes:
        assigned: int64[n], the class that the classifier finds most probable.
        probability: float32[n], the classifier's probability of the requested class.
        nearest: int64[n], index of the nearest training image.
        distance: float32[n], distance to that image, in grey levels.
        realism: float64[n], see `evaluation.metrics.manifold.RealismSearch`.
    """

    assigned: np.ndarray
    probability: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    realism: np.ndarray


@dataclasses.dataclass(frozen=True)
class _State:
    """The numbers in the file of a filter."""

    side: int
    class_names: tuple[str, ...]
    seed: int
    steps: int
    distance: tuple[float, ...]
    realism: tuple[float, ...]
    real: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class CandidateFilter:
    """Measures candidates and compares them with its limits.

    Attributes:
        classifier: trained on the real training images.
        manifold: float32[n, d], features of real training images.
        distance: by label, the smallest distance to the nearest training image and between
            synthetic images, in grey levels. Classes differ, so each has its own limit.
        realism: by label, the smallest realism.
        real: the number of held-out real images, the share of them that passes each test, and the
            classifier's share of right answers for each class.
    """

    classifier: Classifier
    manifold: np.ndarray
    distance: tuple[float, ...]
    realism: tuple[float, ...]
    real: dict[str, Any]

    @functools.cached_property
    def _search(self) -> RealismSearch:
        return RealismSearch(self.manifold)

    def scores(
        self, images: np.ndarray, labels: np.ndarray, training: np.ndarray | NearestImages
    ) -> Scores:
        """Measures uint8[n, side, side, 3] images of requested classes int[n].

        `training` is uint8[m, side, side, 3], or their `NearestImages`.
        """
        probabilities, features = self.classifier.judge(images)
        index, distance = nearest(images, training)
        return Scores(
            probabilities.argmax(axis=1),
            probabilities[np.arange(len(labels)), labels],
            index,
            distance,
            self._search.realism(features),
        )

    def reasons(self, scores: Scores, labels: np.ndarray) -> list[str]:
        """Returns for each image `KEPT` or the first of three tests that it fails."""
        failed = [
            scores.distance < np.array(self.distance)[labels],
            scores.assigned != labels,
            scores.realism < np.array(self.realism)[labels],
        ]
        return np.select(failed, [NEAR_TRAINING, OTHER_CLASS, UNREALISTIC], KEPT).tolist()

    def save(self, path: Path) -> None:
        """Writes the weights of the classifier next to this file, then the file itself."""
        save_classifier(self.classifier, _weights_file(path))
        state = {
            "side": self.classifier.network.input_shape[1],
            "class_names": self.classifier.class_names,
            "seed": self.classifier.seed,
            "steps": self.classifier.steps,
            "distance": self.distance,
            "realism": self.realism,
            "real": self.real,
        }
        with new_file(path) as file, file.open("wb") as stream:
            np.savez(stream, state=np.array(json.dumps(state)), manifold=self.manifold)

    @classmethod
    def load(cls, path: Path) -> CandidateFilter:
        """Reads what `save` wrote.

        Raises:
            InputError: a file is damaged; the message names it.
        """
        try:
            arrays = read_npz(path)
            state = typed(parse_json(str(arrays["state"]).encode()), _State)
            kind = {"seed": state.seed, "steps": state.steps}
            weights = _weights_file(path)
            classifier = load_classifier(weights, state.side, state.class_names, **kind)
            manifold = arrays["manifold"]
            if manifold.ndim != 2 or not np.isfinite(manifold).all():
                raise InputError("its manifold is of another kind")
            if not len(state.distance) == len(state.realism) == len(state.class_names):
                raise InputError("its limits are not those of its classes")
        except (InputError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} cannot be used ({error}): remove {path.parent}, and balance again"
            ) from error
        return cls(classifier, manifold, state.distance, state.realism, state.real)


def make_filter(
    training: LabelledImages, held_out: LabelledImages, *, seed: int, steps: int | None = None
) -> CandidateFilter:
    """Trains the classifier and takes the limits from held-out real images of other lesions.

    `seed` also chooses the training images that span the manifold; `steps` are those of
    `train_classifier`.
    """
    classifier = train_classifier(training, seed=seed, steps=steps)
    rng = np.random.default_rng(seed)
    rows = [
        rng.permutation(np.flatnonzero(training.labels == label))[:MANIFOLD_IMAGES_PER_CLASS]
        for label in range(len(training.class_names))
    ]
    manifold = classifier.features(training.images[np.sort(np.concatenate(rows))])
    names = training.class_names
    none = (0.0,) * len(names)
    unlimited = CandidateFilter(classifier, manifold, none, none, {})
    found = unlimited.scores(held_out.images, held_out.labels, training.images)
    distance = _distance_limits(training, held_out.labels, found.distance, rng)
    realism = _realism_limits(len(names), held_out.labels, found.realism)
    right = found.assigned == held_out.labels
    by_class = [right[held_out.labels == label] for label in range(len(held_out.class_names))]
    real = {
        "images": len(held_out),
        "pass": {
            NEAR_TRAINING: float(np.mean(found.distance >= np.array(distance)[held_out.labels])),
            OTHER_CLASS: float(np.mean(right)),
            UNREALISTIC: float(np.mean(found.realism >= np.array(realism)[held_out.labels])),
        },
        "right_by_class": {
            name: float(np.mean(answers)) if len(answers) else None
            for name, answers in zip(held_out.class_names, by_class, strict=True)
        },
    }
    return CandidateFilter(classifier, manifold, distance, realism, real)


def _distance_limits(
    training: LabelledImages, labels: np.ndarray, distance: np.ndarray, rng: np.random.Generator
) -> tuple[float, ...]:
    """Takes the distances of each class that few real images fall below.

    A class with few held-out images also uses its training images. Each of them is compared with
    the training images of other lesions.

    Args:
        training: the training images.
        labels: of held-out images.
        distance: of held-out images to their nearest training images.
        rng: of the choice of training images.
    """
    limits, search = [], NearestImages(training.images)
    for label in range(len(training.class_names)):
        known = distance[labels == label]
        if len(known) < FEW_HELD_OUT:
            of_class = np.flatnonzero(training.labels == label)
            rows = rng.permutation(of_class)[:PAIRED_IMAGES]
            apart = [training.groups[row] for row in rows], training.groups
            among = search.neighbours(training.images[rows], apart=apart).distance[:, 0]
            known = np.concatenate([known, among[np.isfinite(among)]])
        known = known if len(known) else distance
        # Of fewer than 100 the smallest: between two of them it would drop real images.
        limits.append(float(np.quantile(known, COPY_PERCENTILE, method="lower")))
    return tuple(limits)


def _realism_limits(classes: int, labels: np.ndarray, realism: np.ndarray) -> tuple[float, ...]:
    """Takes the realism of each class that few held-out images fall below.

    A class with few held-out images has the limit of all images, or its own limit if it is lower.
    """
    limit = float(np.percentile(realism, REALISM_PERCENTILE))
    limits = []
    for label in range(classes):
        known = realism[labels == label]
        own = float(np.percentile(known, REALISM_PERCENTILE)) if len(known) else limit
        limits.append(own if len(known) >= ENOUGH_FOR_REALISM else min(own, limit))
    return tuple(limits)


def distinct(images: np.ndarray, limit: float) -> np.ndarray:
    """Chooses images, uint8[n, side, side, 3], that are far from all chosen before: bool[n].

    `limit` is the smallest distance, in grey levels.
    """
    if len(images) <= PAIRWISE_IMAGES:
        return _distinct(images, limit)
    half = len(images) // 2
    stays = np.zeros(len(images), bool)
    stays[:half] = distinct(images[:half], limit)
    free = half + np.flatnonzero(nearest(images[half:], images[:half][stays[:half]])[1] >= limit)
    stays[free] = distinct(images[free], limit)
    return stays


def _distinct(images: np.ndarray, limit: float) -> np.ndarray:
    """Does the work of `distinct` with all pairs at once; many small searches take longer."""
    stays = np.zeros(len(images), bool)
    if not len(images):
        return stays
    near = NearestImages(images).distances(images) < limit
    for row in range(len(images)):
        stays[row] = not near[row, stays].any()
    return stays


def _weights_file(path: Path) -> Path:
    return path.with_suffix(".weights.h5")
