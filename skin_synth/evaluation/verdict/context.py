"""Data that the checks of a verdict share: the threshold, and the mislabelled classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from skin_synth.evaluation.results import Fault

SWAPPED_LABELS, MISSING_CLASS = "swapped_labels", "missing_class"
"""Faults of classes whose images show another class."""


class HasPValue(Protocol):
    """Figures with a p-value."""

    @property
    def p_value(self) -> float:
        """p-value of the test."""


Figures = TypeVar("Figures")
Tested = TypeVar("Tested", bound=HasPValue)
Named = tuple[str | None, Figures]
"""Figures with the name of their class; None for the whole set."""
Evidence = dict[str | None, Figures]
"""Figures that prove a fault, by class name; None for the whole set."""


@dataclasses.dataclass(frozen=True)
class Finding(Generic[Figures]):
    """The content of a sentence: the strongest figures, and the classes that have the fault.

    Attributes:
        of: " of" and the classes; empty if it is the whole set or all classes.
        whose: the class of the figures, in brackets, if there are several classes.
    """

    figures: Figures
    classes: tuple[str, ...]
    of: str
    whose: str


@dataclasses.dataclass(frozen=True)
class VerdictContext:
    """Data that all checks of a verdict share.

    Attributes:
        names: the classes, in the order of their labels.
        threshold: the p-value below which a fault is proven.
        mislabelled: classes whose images show another class; they cannot be compared with real
            images of the requested class.
        class_missing: whether a class is missing. Then images of other classes take its place,
            and the whole set does not have the requested shares of classes.
    """

    names: tuple[str, ...]
    threshold: float
    mislabelled: frozenset[str] = frozenset()
    class_missing: bool = False

    def after(self, class_faults: Iterable[Fault]) -> VerdictContext:
        """Returns the context once the faults of `class_shown` are known."""
        wrong = [fault for fault in class_faults if fault.fault in (SWAPPED_LABELS, MISSING_CLASS)]
        return dataclasses.replace(
            self,
            mislabelled=frozenset(name for fault in wrong for name in fault.classes),
            class_missing=any(fault.fault == MISSING_CLASS for fault in wrong),
        )

    def drop_explained(self, evidence: Evidence[Figures]) -> Evidence[Figures]:
        """Drops evidence that a mislabelled or missing class already explains."""
        kept = {name: part for name, part in evidence.items() if name not in self.mislabelled}
        explained = self.class_missing and len(kept) < len(evidence) and [*kept] == [None]
        return {} if explained else kept

    def strongest(self, parts: Iterable[Named[Tested]]) -> Evidence[Tested]:
        """Returns the part with the smallest p-value of each name, if it is proven."""
        evidence: Evidence[Tested] = {}
        for name, part in parts:
            limit = evidence[name].p_value if name in evidence else self.threshold
            if part.p_value < limit:
                evidence[name] = part
        return evidence

    def finding(self, evidence: Evidence[Tested]) -> Finding[Tested] | None:
        """Returns the content of the sentence for some evidence; None without evidence.

        The figures are those of the whole set if all or none of its classes have the fault, else
        those of the class with the smallest p-value.
        """
        if not evidence:
            return None
        classes = tuple(name for name in evidence if name is not None)
        if None in evidence and len(classes) in (0, len(self.names)):
            shown = None
        else:
            shown = min(classes, key=lambda name: evidence[name].p_value)
        return Finding(
            evidence[shown],
            classes,
            of=f" of {', '.join(classes)}" if 0 < len(classes) < len(self.names) else "",
            whose=f" (figures of {shown})" if shown is not None and len(classes) > 1 else "",
        )
