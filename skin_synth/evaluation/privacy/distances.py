"""Distances of real images to synthetic and to other real images, in pixels and in features.

The score of an attack is larger for a smaller distance to a synthetic image of the class (Hayes et
al., "LOGAN", PoPETs 2019; Chen et al., "GAN-Leaks", CCS 2020). Typical images are near to all
images. So the calibrated score also uses the distance to other real images (GAN-Leaks calibrates by
another generator).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.metrics.nearest import averaged, feature_neighbours, symmetries
from skin_synth.evaluation.privacy.candidates import Candidates
from skin_synth.generator import ImageGenerator
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream

ATTACK_SIDE = 16
"""Images are averaged to this side for the distance of pixels."""
SMALLEST_DISTANCE = 1e-9
"""Smaller distances count as this one, because the logarithm of 0 is not finite."""


@dataclasses.dataclass(frozen=True, eq=False)
class Distances:
    """Distances of each candidate: float64[n] each.

    Attributes:
        synthetic: to the nearest synthetic image of its class.
        real: to the nearest real image that is no member, of another lesion.
    """

    synthetic: np.ndarray
    real: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """The score of the plain attack: minus the logarithm of the distance."""
        return -np.log(np.maximum(self.synthetic, SMALLEST_DISTANCE))

    @property
    def calibrated(self) -> np.ndarray:
        """The score of the calibrated attack: the logarithm of the ratio of both distances."""
        return np.log(np.maximum(self.real, SMALLEST_DISTANCE)) + self.score


def generate_class(run: ImageGenerator, label: int, count: int, *, seed: int) -> np.ndarray:
    """Generates images of one class for the attack: uint8[count, side, side, 3]."""
    rng = np.random.default_rng([seed, EvaluationStream.PRIVACY_GENERATION, label])
    seeds = rng.integers(0, 2**63 - 1, count)
    return run.generate(np.full(count, label), seeds, truncation=1.0)


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Averages uint8[n, side, side, 3] to at most 16x16: float32[n, pixels * 3]."""
    return averaged(images, ATTACK_SIDE).reshape(len(images), -1)


def turned_thumbnails(images: np.ndarray) -> np.ndarray:
    """Returns `thumbnails` of the eight symmetries of images: float32[8, n, pixels * 3]."""
    small = averaged(images, ATTACK_SIDE)
    return np.stack([each.reshape(len(images), -1) for each in symmetries(small)])


def turn(images: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Turns each image by one of the eight symmetries: uint8[n, side, side, 3] and int[n]."""
    found = np.empty_like(images)
    for which, each in enumerate(symmetries(images)):
        found[number == which] = each[number == which]
    return found


def measure_distances(
    run: ImageGenerator,
    candidates: Candidates,
    extractor: Extractor,
    *,
    images_per_class: int,
    seed: int,
    cache: Cache,
) -> tuple[Distances, Distances]:
    """Measures distances in pixels and in features. They do not depend on the turn of an image.

    The pixel distance is the smallest over the eight symmetries. Features are computed only in the
    symmetry with this distance.

    Args:
        run: the generator.
        candidates: the images. Those that are no members are also the real images for the
            comparison.
        extractor: computes the features.
        images_per_class: synthetic images of each class.
        seed: of the evaluation.
        cache: keeps the distances of each class, and the features.
    """
    count = len(candidates.labels)
    pixels, deep = np.empty(count), np.empty(count)
    aligned = np.empty((count, extractor.dimension), np.float32)
    for label in np.unique(candidates.labels).tolist():
        rows = candidates.rows(label)
        judged = candidates.images[rows]
        origin = (run.origin.run_id, run.origin.checkpoint_hash, label, images_per_class, seed)
        parts = (*origin, *extractor.key, content_hash(judged))

        def of_class(label: int = label, judged: np.ndarray = judged) -> dict[str, np.ndarray]:
            synthetic = generate_class(run, label, images_per_class, seed=seed)
            return _to_synthetic(judged, synthetic, extractor)

        found = cache.arrays("privacy", parts, of_class)
        pixels[rows], deep[rows] = found["pixels"], found["features"]
        aligned[rows] = found["aligned"]
    reference = candidates.images[~candidates.member]
    apart = candidates.apart.tolist(), candidates.groups[~candidates.member].tolist()
    small = turned_thumbnails(candidates.images)
    real = feature_neighbours(small, thumbnails(reference), apart=apart).distance[:, 0]
    known = cache.arrays(
        "features",
        (*extractor.key, content_hash(reference)),
        lambda: {"rows": extractor(reference)},
    )["rows"]
    real_deep = feature_neighbours(aligned[None], known, apart=apart).distance[:, 0]
    return Distances(pixels, real.astype(float)), Distances(deep, real_deep.astype(float))


def _to_synthetic(
    judged: np.ndarray, synthetic: np.ndarray, extractor: Extractor
) -> dict[str, np.ndarray]:
    """Returns distances of one class to synthetic images, and features in the nearest turn."""
    known = thumbnails(synthetic)
    by_turn = np.stack(
        [feature_neighbours(each[None], known).distance[:, 0] for each in turned_thumbnails(judged)]
    )
    aligned = extractor(turn(judged, by_turn.argmin(axis=0)))
    deep = feature_neighbours(aligned[None], extractor(synthetic)).distance[:, 0]
    return {
        "pixels": by_turn.min(axis=0).astype(float),
        "features": deep.astype(float),
        "aligned": aligned,
    }
