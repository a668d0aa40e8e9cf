"""The images of one comparison: real ones to learn from, to compare with, and synthetic ones."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_real_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.look_alikes import NO_LEAK, Leak, load_real_images
from skin_synth.evaluation.statistics.significance import one_of_each
from skin_synth.generator import ImageGenerator
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream
from tfrecords_tools.records.schema import TEST

FEWEST_SYNTHETIC = 20
"""Least number of synthetic images of a class, for the measure of class faithfulness."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSets:
    """The images of one comparison.

    Attributes:
        train: real images that the generator learnt from.
        test: real images of other lesions: the reference.
        real_baseline: real images of lesions that the reference does not have, about as many of
            each class. A perfect generator would reach their distance from the reference: the
            floor.
        real_baseline_held_out: number of images of `real_baseline` from the validation split.
        synthetic: uint8[n, side, side, 3], at least as many of each class as the reference has.
        requested_labels: int64[n], the label for which each synthetic image was generated.
        validation: real images of the validation split; None without it.
        leak: what the splits share; it is left out of `test` and `validation`.
    """

    train: LabelledImages
    test: LabelledImages
    real_baseline: LabelledImages
    real_baseline_held_out: int
    synthetic: np.ndarray
    requested_labels: np.ndarray
    validation: LabelledImages | None = None
    leak: Leak = NO_LEAK

    @property
    def held_out(self) -> list[LabelledImages]:
        """Real images of lesions that the generator has not seen: validation, then test."""
        return [split for split in (self.validation, self.test) if split is not None]

    @property
    def held_out_baseline(self) -> np.ndarray:
        """Images of the real baseline that are not from the training split: bool[n]."""
        return ~np.isin(self.real_baseline.image_ids, self.train.image_ids)

    @property
    def independent(self) -> np.ndarray:
        """Rows of the reference, one of each lesion, because tests assume independence."""
        return one_of_each(self.test.groups)

    def matched(self, reference: np.ndarray | None = None) -> np.ndarray:
        """Returns rows of synthetic images, as many of each class as a reference has.

        Args:
            reference: labels, int[n]; None: those of the test split.
        """
        labels = self.test.labels if reference is None else reference
        counts = np.bincount(labels, minlength=len(self.test.class_names))
        return first_of_each_class(self.requested_labels, counts)


def first_of_each_class(labels: np.ndarray, counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns the first `counts[label]` rows of each label, or all that it has: int64[n]."""
    return np.concatenate(
        [np.flatnonzero(labels == label)[:count] for label, count in enumerate(counts)]
    )


def load_image_sets(
    run: ImageGenerator, data_dir: str | os.PathLike[str], *, seed: int, cache: Cache | None = None
) -> ImageSets:
    """Reads the real images and generates the synthetic ones.

    Args:
        run: the generator.
        data_dir: the data set that it was trained on.
        seed: of the synthetic images and of the choice of the real baseline.
        cache: of the synthetic images; None: no cache.
    """
    real = load_real_images(data_dir, cache)
    train, test = real.train, real.test or load_real_split(data_dir, TEST)  # the error without one
    baseline, baseline_held_out = choose_real_baseline(
        train, real.validation, test, np.random.default_rng([seed, EvaluationStream.REAL_BASELINE])
    )
    counts = synthetic_counts(test)
    labels = np.repeat(np.arange(len(counts)), counts)
    synthetic = generate_images(run, labels, seed=seed, cache=cache)
    return ImageSets(
        *(train, test, baseline, baseline_held_out, synthetic, labels),
        validation=real.validation,
        leak=real.leak,
    )


def synthetic_counts(test: LabelledImages) -> np.ndarray:
    """Returns how many synthetic images of each class a test split needs: int64[classes]."""
    return np.maximum(test.class_counts, FEWEST_SYNTHETIC)


def generate_images(
    run: ImageGenerator,
    labels: np.ndarray,
    *,
    seed: int,
    number: int = 0,
    cache: Cache | None = None,
) -> np.ndarray:
    """Generates images of given labels: uint8[n, side, side, 3].

    Args:
        run: the generator.
        labels: int64[n].
        seed: of the evaluation.
        number: of the set of images, if one evaluation has several.
        cache: of the images; None: no cache.
    """
    stream = [seed, EvaluationStream.GENERATION, *([number] if number else [])]
    seeds = np.random.default_rng(stream).integers(0, 2**63 - 1, len(labels))

    def generate() -> dict[str, np.ndarray]:
        return {"images": run.generate(labels, seeds, truncation=1.0)}

    if cache is None:
        return generate()["images"]
    parts = (run.origin.run_id, run.origin.checkpoint_hash, content_hash(labels, seeds))
    return cache.arrays("painted", parts, generate)["images"]


def choose_real_baseline(
    train: LabelledImages,
    held_out: LabelledImages | None,
    test: LabelledImages,
    rng: np.random.Generator,
) -> tuple[LabelledImages, int]:
    """Chooses as many real images of each class as `test` has, of groups that `test` lacks.

    Images of `held_out` come first.

    Returns:
        The images, and the number of those from `held_out`.
    """
    splits = [split for split in (held_out, train) if split is not None]
    labels = np.concatenate([split.labels for split in splits])
    image_ids = [name for split in splits for name in split.image_ids]
    groups = [name for split in splits for name in split.groups]
    split_of_row = np.repeat(np.arange(len(splits)), [len(split) for split in splits])
    allowed = ~np.isin(groups, test.groups)
    order = np.lexsort([rng.permutation(len(labels)), split_of_row])
    order = order[allowed[order]]
    chosen = order[first_of_each_class(labels[order], test.class_counts)]
    # Only the chosen images are copied, because the splits together may be as large as the memory.
    images = np.empty((len(chosen), *test.images.shape[1:]), np.uint8)
    starts = np.cumsum([0, *(len(split) for split in splits)])
    for number, split in enumerate(splits):
        of_split = split_of_row[chosen] == number
        images[of_split] = split.images[chosen[of_split] - starts[number]]
    baseline = LabelledImages(
        images,
        labels[chosen],
        tuple(image_ids[row] for row in chosen),
        tuple(groups[row] for row in chosen),
        test.class_names,
    )
    return baseline, int((split_of_row[chosen] == 0).sum()) if held_out is not None else 0
