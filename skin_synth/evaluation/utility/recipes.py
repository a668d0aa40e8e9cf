"""Batches of a training: phases, each with parts from several sources."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.classifiers.training import Method, Pool
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream
from tfrecords_tools.errors import InputError

GenerateImages = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Labels int64[n] and seeds int64[n] to images uint8[n, side, side, 3]."""
PLAIN = Method()
CONTROL, USE, INFORMATION = "control", "use", "information"
"""Kinds of arms: without synthetic images, with them, and arms without a verdict."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A share of each batch.

    Attributes:
        source: source of its images, such as `own` or `synthetic`.
        share: share of the batch, above 0.
        equal: draws all classes of the source equally often, not by their shares.
    """

    source: str
    share: float = 1.0
    equal: bool = False


@dataclasses.dataclass(frozen=True)
class Phase:
    """Consecutive steps of a training; `end` is the share of all steps at its end."""

    parts: tuple[Part, ...]
    end: float = 1.0


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to train a classifier.

    Attributes:
        name: for tables and the command line.
        kind: `CONTROL`, `USE` or `INFORMATION`.
        phases: phases in order; the last one ends at 1.
        method: how batches are used.
    """

    name: str
    kind: str
    phases: tuple[Phase, ...]
    method: Method = PLAIN

    @property
    def sources(self) -> frozenset[str]:
        """Names of all its sources."""
        return frozenset(part.source for phase in self.phases for part in phase.parts)

    def steps(self, total: int) -> tuple[range, ...]:
        """Returns the steps of each phase."""
        ends = [round(phase.end * total) for phase in self.phases]
        return tuple(range(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True))


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Images of one origin, loaded when a training first needs them.

    Attributes:
        key: identifies the content in the cache.
        load: returns images uint8[n, side, side, 3] and targets float32[n, classes]: one-hot
            labels, or probabilities of a teacher.
    """

    key: str
    load: Callable[[], tuple[np.ndarray, np.ndarray]]

    @functools.cached_property
    def content(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and targets."""
        return self.load()


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns targets float32[n, classes] of labels int[n]."""
    return np.eye(classes, dtype=np.float32)[labels]


def real_source(images: LabelledImages) -> Source:
    """Makes a source of real images with their labels."""
    targets = one_hot(images.labels, len(images.class_names))
    key = content_hash(images.images, images.labels)
    return Source(key, lambda: (images.images, targets))


def synthetic_source(
    generate: GenerateImages, pool: int, like: LabelledImages, *, seed: int, key: str
) -> Source:
    """Makes a source of synthetic images, the same number of each class.

    Args:
        generate: generates them.
        pool: images of each class.
        like: real images with the same classes and image size.
        seed: of the images.
        key: identifies the generator, the pool and the seed in the cache.

    Raises:
        InputError: when the images are generated: they have another type or size.
    """
    classes = len(like.class_names)
    labels = np.repeat(np.arange(classes), pool)

    def load() -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([EvaluationStream.UTILITY_GENERATION, seed])
        images = generate(labels, rng.integers(0, 2**63 - 1, len(labels)))
        shape = (len(labels), *like.images.shape[1:])
        if images.shape != shape or images.dtype != np.uint8:
            raise InputError(
                f"synthetic images must be uint8{list(shape)}, as the real images are; got "
                f"{images.dtype}{list(images.shape)}"
            )
        return images, one_hot(labels, classes)

    return Source(key, load)


def learnt_shares(arm: Arm, class_counts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the class shares that the network of an arm has learnt: float64[classes].

    They are those of the batches of its last phase, or equal ones with a logit-adjusted loss.

    Args:
        arm: was trained.
        class_counts: int[classes] by name of the source; only their ratios count.
    """
    parts = arm.phases[-1].parts
    counts = [np.asarray(class_counts[part.source], np.float64) for part in parts]
    if arm.method.logit_adjusted:
        return np.full(len(counts[0]), 1 / len(counts[0]))
    found = np.zeros(len(counts[0]))
    for part, each in zip(parts, counts, strict=True):
        drawn = np.sign(each) if part.equal else each
        found += part.share * drawn / drawn.sum()
    return found / sum(part.share for part in parts)


def single(source: str, *, equal: bool = False) -> tuple[Phase, ...]:
    """Returns one phase with one source."""
    return (Phase((Part(source, equal=equal),)),)


def mixed(own: str, other: str, share: float) -> tuple[Phase, ...]:
    """Returns one phase with the share `share` of each batch from `other`, classes equal."""
    return (Phase((Part(own, 1.0 - share), Part(other, share, equal=True))),)


def first_then(first: str, then: str, end: float) -> tuple[Phase, ...]:
    """Returns two phases: `first`, classes equal, up to the share `end` of steps; then `then`."""
    return (Phase((Part(first, equal=True),), end), Phase((Part(then),)))


def pool_of(phase: Phase, sources: Mapping[str, Source]) -> Pool:
    """Combines the images of all parts of a phase.

    Raises:
        InputError: a source without images.
    """
    images, targets, shares = [], [], []
    whole = sum(part.share for part in phase.parts)
    for part in phase.parts:
        drawn, aims = sources[part.source].content
        if not len(drawn):
            raise InputError(f"source {part.source!r} has no images")
        if part.equal:
            labels = aims.argmax(axis=1)
            sizes = np.bincount(labels)
            share = 1.0 / sizes[labels] / np.count_nonzero(sizes)
        else:
            share = np.full(len(drawn), 1.0 / len(drawn))
        images.append(drawn)
        targets.append(aims)
        shares.append(share * part.share / whole)
    return Pool(np.concatenate(images), np.concatenate(targets), np.concatenate(shares))
