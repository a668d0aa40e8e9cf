"""Figures of the whole set and of each class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


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
