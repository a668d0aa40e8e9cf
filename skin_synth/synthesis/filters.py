"""Which candidates may join a data set: limits taken from held-out real images."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.classifier import Classifier, train_classifier
from skin_synth.evaluation.metrics.copies import PERCENTILE
from skin_synth.evaluation.metrics.manifold import realism
from skin_synth.evaluation.metrics.nearest import Gallery, nearest
from tfrecords_tools.atomic import new_file

KEPT = "kept"
EXACT_COPY, NEAR_TRAINING = "exact_copy", "near_training_image"
OTHER_CLASS, UNREALISTIC, NEAR_DUPLICATE = "other_class", "unrealistic", "near_duplicate"
REASONS = (EXACT_COPY, NEAR_TRAINING, OTHER_CLASS, UNREALISTIC, NEAR_DUPLICATE)
"""Why a candidate is dropped, in the order in which it is asked."""
REALISM_PERCENTILE = 5.0
"""So many of a hundred held-out real images score lower than the limit."""
ALL_PAIRS = 128
"""Images that are compared all with all at once, at the most."""
LARGEST_CLASS = 400
"""Training images of a class that span its part of the manifold, at the most."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """What is measured of some images.

    Attributes:
        assigned: int64[n], the classifier's first choice.
        probability: float32[n], of the class asked for.
        nearest: int64[n], index of the nearest training image.
        distance: float32[n], of it, in grey levels.
        realism: float64[n], see `evaluation.manifold.realism`.
    """

    assigned: np.ndarray
    probability: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    realism: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Gauge:
    """Measures candidates, and holds the limits that they must keep.

    Attributes:
        classifier: trained on the real training images.
        manifold: float32[n, d], features of real training images.
        distance: to the nearest training image and between synthetic ones, at least; grey levels.
        realism: at least.
        real: share of held-out real images that would pass each test, and the classifier's share
            of right answers for each class.
    """

    classifier: Classifier
    manifold: np.ndarray
    distance: float
    realism: float
    real: dict[str, Any]

    def scores(
        self, images: np.ndarray, labels: np.ndarray, training: np.ndarray | Gallery
    ) -> Scores:
        """Measures images.

        Args:
            images: uint8[n, side, side, 3].
            labels: int[n], the class asked for.
            training: uint8[m, side, side, 3], or a gallery of them.
        """
        return _scores(self.classifier, self.manifold, images, labels, training)

    def reasons(self, scores: Scores, labels: np.ndarray) -> list[str]:
        """For each image `KEPT`, or the first test that it fails; copies are told elsewhere."""
        failed = {
            NEAR_TRAINING: scores.distance < self.distance,
            OTHER_CLASS: scores.assigned != labels,
            UNREALISTIC: scores.realism < self.realism,
        }
        return [
            next((reason for reason, rows in failed.items() if rows[row]), KEPT)
            for row in range(len(labels))
        ]

    def save(self, path: Path) -> None:
        """Writes all of it into one file, which appears whole."""
        weights = self.classifier.network.get_weights()
        state = {
            "network": self.classifier.network.to_json(),
            "class_names": self.classifier.class_names,
            "seed": self.classifier.seed,
            "steps": self.classifier.steps,
            "distance": self.distance,
            "realism": self.realism,
            "real": self.real,
        }
        with new_file(path) as file, file.open("wb") as stream:
            np.savez(
                stream,
                state=np.array(json.dumps(state)),
                manifold=self.manifold,
                **{f"weights_{number}": array for number, array in enumerate(weights)},
            )

    @classmethod
    def load(cls, path: Path) -> Gauge:
        """What `save` wrote."""
        with np.load(path) as arrays:
            state = json.loads(str(arrays["state"]))
            network = keras.models.model_from_json(state["network"])
            network.set_weights([arrays[f"weights_{n}"] for n in range(len(network.weights))])
            manifold = arrays["manifold"]
        classifier = Classifier(network, tuple(state["class_names"]), state["seed"], state["steps"])
        return cls(classifier, manifold, state["distance"], state["realism"], state["real"])


def make_gauge(
    training: LabelledImages, held_out: LabelledImages, *, seed: int, steps: int | None = None
) -> Gauge:
    """Trains the classifier and takes the limits from held-out real images.

    Args:
        training: real; the candidates must be no copies of these.
        held_out: real, of other lesions.
        seed: of the classifier and of the images that span the manifold.
        steps: training steps of the classifier; None: as many as the training split needs.
    """
    classifier = train_classifier(training, seed=seed, steps=steps)
    rng = np.random.default_rng(seed)
    rows = [
        rng.permutation(np.flatnonzero(training.labels == label))[:LARGEST_CLASS]
        for label in range(len(training.class_names))
    ]
    manifold = classifier.features(training.images[np.sort(np.concatenate(rows))])
    found = _scores(classifier, manifold, held_out.images, held_out.labels, training.images)
    distance = float(np.quantile(found.distance, PERCENTILE))
    limit = float(np.percentile(found.realism, REALISM_PERCENTILE))
    right = found.assigned == held_out.labels
    return Gauge(
        classifier,
        manifold,
        distance,
        limit,
        {
            "images": len(held_out),
            "pass": {
                NEAR_TRAINING: float(np.mean(found.distance >= distance)),
                OTHER_CLASS: float(np.mean(right)),
                UNREALISTIC: float(np.mean(found.realism >= limit)),
            },
            "right_by_class": {
                name: float(np.mean(right[held_out.labels == label]))
                if (held_out.labels == label).any()
                else None
                for label, name in enumerate(held_out.class_names)
            },
        },
    )


def distinct(images: np.ndarray, limit: float) -> np.ndarray:
    """Which images stay if each must be as far from all earlier ones that stay: bool[n].

    Args:
        images: uint8[n, side, side, 3].
        limit: smallest distance, in grey levels.
    """
    if len(images) <= ALL_PAIRS:
        return _distinct(images, limit)
    half = len(images) // 2
    stays = np.zeros(len(images), bool)
    stays[:half] = distinct(images[:half], limit)
    free = half + np.flatnonzero(nearest(images[half:], images[:half][stays[:half]])[1] >= limit)
    stays[free] = distinct(images[free], limit)
    return stays


def _distinct(images: np.ndarray, limit: float) -> np.ndarray:
    """See `distinct`; by the distances of all pairs, as many small searches take far longer."""
    stays = np.zeros(len(images), bool)
    if not len(images):
        return stays
    near = Gallery(images).distances(images) < limit
    for row in range(len(images)):
        stays[row] = not near[row, stays].any()
    return stays


def _scores(
    classifier: Classifier,
    manifold: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    training: np.ndarray | Gallery,
) -> Scores:
    probabilities = classifier.predict(images)
    index, distance = nearest(images, training)
    return Scores(
        probabilities.argmax(axis=1),
        probabilities[np.arange(len(labels)), labels],
        index,
        distance,
        realism(manifold, classifier.features(images)),
    )
