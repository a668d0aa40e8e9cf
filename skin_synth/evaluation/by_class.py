"""Figures of the whole set and of each class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


def in_class_shares(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Chooses as many rows as possible in the class shares of `counts`: int64[m].

    Classes without rows in `labels` are left out; each other class of `counts` has one row or more.
    """
    rows = [np.flatnonzero(labels == label) for label in range(len(counts))]
    factors = [len(r) / c for r, c in zip(rows, counts, strict=True) if c and len(r)]
    factor = min(factors, default=0.0)
    return np.concatenate(
        [r[: max(round(factor * c), min(c, 1))] for r, c in zip(rows, counts, strict=True)]
    )


@dataclasses.dataclass(frozen=True)
class ByClass(Generic[T]):
    """The same figures of the whole set and of each class, by name in label order."""

    whole: T
    classes: Mapping[str, T]

    @classmethod
    def of(cls, class_names: Sequence[str], measure: Callable[[int | None], T]) -> ByClass[T]:
        """Measures the whole set (None) and each class (its label)."""
        classes = {name: measure(label) for label, name in enumerate(class_names)}
        return ByClass(measure(None), classes)

    def items(self) -> Iterator[tuple[str | None, T]]:
        """Yields the whole set (None), then each class name, with its figures."""
        yield None, self.whole
        yield from self.classes.items()
