"""All images of a comparison: real ones to learn from, to compare with, and synthetic ones."""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.cache import Cache, content_hash
from skin_synth.evaluation.statistics.significance import one_of_each
from skin_synth.generator import ImageGenerator
from tfrecords_tools.records.reader import read_info

FEWEST_SYNTHETIC = 20
"""Synthetic images of a class that class faithfulness is judged by, at least."""
PAINT, FLOOR = range(2)
"""What random numbers are for: keeps the streams of one seed apart."""


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """All images of a comparison.

    Attributes:
        train: real, what the generator learnt from.
        test: real, other lesions: the reference.
        floor: real, other lesions than the reference's, about as many of each class.
        floor_held_out: how many of `floor` are from the validation split.
        synthetic: uint8[n, side, side, 3], at least as many of each class as the reference has.
        asked: int64[n], the label that each synthetic image was painted for.
    """

    train: LabelledImages
    test: LabelledImages
    floor: LabelledImages
    floor_held_out: int
    synthetic: np.ndarray
    asked: np.ndarray

    @property
    def from_held_out(self) -> np.ndarray:
        """Which images of the floor are not from the training split: bool[n]."""
        return ~np.isin(self.floor.image_ids, self.train.image_ids)

    @property
    def independent(self) -> np.ndarray:
        """Rows of the reference, one of each lesion: what tests take for independent."""
        return one_of_each(self.test.groups)

    def matched(self, reference: np.ndarray | None = None) -> np.ndarray:
        """Indices of synthetic images, as many of each class as the reference has.

        Args:
            reference: labels of the reference, int[n]; None: those of the test split.
        """
        labels = self.test.labels if reference is None else reference
        counts = np.bincount(labels, minlength=len(self.test.class_names))
        return np.concatenate(
            [np.flatnonzero(self.asked == label)[:count] for label, count in enumerate(counts)]
        )


def gather(
    run: ImageGenerator, data_dir: str | os.PathLike[str], *, seed: int, cache: Cache | None = None
) -> Material:
    """Reads the real images and paints the synthetic ones.

    Args:
        run: what paints.
        data_dir: the data set that it was trained on.
        seed: of the synthetic images and of the choice of the floor.
        cache: keeps the synthetic images; None paints them anew.
    """
    train, test = load_split(data_dir, "train"), load_split(data_dir, "test")
    held_out = None
    if "validation" in read_info(data_dir).splits:
        held_out = load_split(data_dir, "validation")
    floor, floor_held_out = choose_floor(
        train, held_out, test, np.random.default_rng([seed, FLOOR])
    )
    counts = np.maximum(test.class_counts, FEWEST_SYNTHETIC)
    asked = np.repeat(np.arange(len(counts)), counts)
    synthetic = paint(run, asked, seed=seed, cache=cache)
    return Material(train, test, floor, floor_held_out, synthetic, asked)


def paint(
    run: ImageGenerator,
    asked: np.ndarray,
    *,
    seed: int,
    number: int = 0,
    cache: Cache | None = None,
) -> np.ndarray:
    """Synthetic images of given labels.

    Args:
        run: what paints.
        asked: int64[n], labels.
        seed: of the evaluation.
        number: of the set of images, for several sets of one evaluation.
        cache: keeps the images; None paints them anew.

    Returns:
        uint8[n, side, side, 3].
    """
    stream = [seed, PAINT, number] if number else [seed, PAINT]
    seeds = np.random.default_rng(stream).integers(0, 2**63 - 1, len(asked))

    def painted() -> dict[str, np.ndarray]:
        return {"images": run.generate(asked, seeds, truncation=1.0)}

    if cache is None:
        return painted()["images"]
    parts = (run.origin.run_id, run.origin.checkpoint_hash, content_hash(asked, seeds))
    return cache.arrays("painted", parts, painted)["images"]


def choose_floor(
    train: LabelledImages,
    held_out: LabelledImages | None,
    test: LabelledImages,
    rng: np.random.Generator,
) -> tuple[LabelledImages, int]:
    """As many real images of each class as `test` has, held-out ones first, of other groups."""
    sources = [split for split in (held_out, train) if split is not None]
    labels = np.concatenate([split.labels for split in sources])
    image_ids = [name for split in sources for name in split.image_ids]
    groups = [name for split in sources for name in split.groups]
    later = np.repeat(np.arange(len(sources)), [len(split) for split in sources])
    other = ~np.isin(groups, test.groups)
    order = np.lexsort([rng.permutation(len(labels)), later])
    chosen = np.concatenate(
        [
            [row for row in order if labels[row] == label and other[row]][:count]
            for label, count in enumerate(test.class_counts)
        ]
    ).astype(int)
    # Of the chosen ones alone: together the splits are as large as all that was read.
    images = np.empty((len(chosen), *test.images.shape[1:]), np.uint8)
    starts = np.cumsum([0, *(len(split) for split in sources)])
    for number, split in enumerate(sources):
        mine = later[chosen] == number
        images[mine] = split.images[chosen[mine] - starts[number]]
    floor = LabelledImages(
        images,
        labels[chosen],
        tuple(image_ids[row] for row in chosen),
        tuple(groups[row] for row in chosen),
        test.class_names,
    )
    return floor, int((later[chosen] == 0).sum()) if held_out is not None else 0
