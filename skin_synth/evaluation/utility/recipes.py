"""Batches of a training: phases, each with parts from several sources."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np

from skin_synth.evaluation.utility.classifiers.training import Method, Pool
from tfrecords_tools.errors import InputError

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
