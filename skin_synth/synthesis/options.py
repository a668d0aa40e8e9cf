"""The options of a balance and of generated images, with their defaults."""

from __future__ import annotations

import dataclasses

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.synthesis.targets import MAX, Target, check_target
from tfrecords_tools.errors import InputError

ALL_FILTERS, COPIES_FILTER = FILTERS = ("all", "copies")
"""All tests of `filters`, or only the test for exact copies."""
LARGEST_SEED = 2**62 - 1
ALL_CLASSES = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BalanceOptions:
    """Options of a balance.

    Attributes:
        target: images of every class: "max" for those of the largest class, "median", a number, or
            numbers by class name.
        ratio: most synthetic images for each real one of a class; None for no limit.
        filters: one of `FILTERS`.
        seed: the first seed of the first class (other classes have other seeds), and the seed of
            the classifiers.
        truncation: factor of the latents.
        training_names: whether the PNGs name the nearest training image; the manifest always does.
        image_folder: whether to write all images also as files, with a CSV.
        audit_features: features of the audit, which measures the distance to training images a
            second time; None: a second classifier is trained for it.
        steps: training steps of each classifier; None: as many as the training split needs.

    Raises:
        InputError: a target, ratio, filter or seed is not one of these.
    """

    target: Target = MAX
    ratio: float | None = None
    filters: str = ALL_FILTERS
    seed: int = 0
    truncation: float = 1.0
    training_names: bool = True
    image_folder: bool = False
    audit_features: Extractor | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        check_target(self.target)
        if self.ratio is not None and not 0 < self.ratio < float("inf"):
            raise InputError(f"ratio must be a number above 0, got {self.ratio}")
        if self.filters not in FILTERS:
            raise InputError(f"filters must be one of {', '.join(FILTERS)}, got {self.filters!r}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(
                f"seed must be from 0 to 2**62 - 1, which leaves room for more, got {self.seed}"
            )


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several parts of a request, which jobs generate independently of each other.

    Attributes:
        number: from 1 to `count`.
        count: number of parts.

    Raises:
        InputError: another number.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"a shard I/N counts from 1/N to N/N, got {self.number}/{self.count}")

    def block(self, images: int) -> range:
        """Returns the numbers of its images, of all images from 0 on."""
        return range(images * (self.number - 1) // self.count, images * self.number // self.count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """Options of generated images.

    Attributes:
        label: name of the class; `ALL_CLASSES` for every class, unless a class has this name.
        count: images of each class.
        seed: the images of a class have the seeds `seed`, `seed` + 1, ..., except for dropped
            copies.
        truncation: factor of the latents.
        training_names: whether the PNGs name the nearest training image; the manifest always does.
        shard: the part of the images to generate, a block of the seeds. No other seeds replace
            dropped copies there, because they would be those of the next part. None: all.

    Raises:
        InputError: the count is below 1, or there are fewer images than parts.
    """

    label: str
    count: int
    seed: int = 0
    truncation: float = 1.0
    training_names: bool = True
    shard: Shard | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"count must be at least 1, got {self.count}")
        if self.shard is not None and self.shard.count > self.count:
            raise InputError(f"{self.count} images have at most as many shards, got {self.shard}")
