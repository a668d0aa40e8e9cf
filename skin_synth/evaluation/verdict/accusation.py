"""What an accusation is made of: the terms of a verdict, the case against classes, the fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

Guilty = dict[str | None, dict[str, Any]]
"""Figures, a `p_value` among them, of each class that has a fault, and of the whole set (None)."""
SWAPPED, MISSING = "swapped_labels", "missing_class"
"""Faults of classes whose images show another class."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something that is proven to be wrong.

    Attributes:
        fault: a slug: copies, duplicates, missing_class, swapped_labels, weak_class,
            little_variety, blur, noise, no_lesion, drift, unlike_real, leak.
        classes: the classes that have it; none where it is of the whole set.
        sentence: in plain words.
        test: which test, for one class the smallest p-value.
        statistic: of the test.
        p_value: of the test; None where it is a count.
    """

    fault: str
    classes: tuple[str, ...]
    sentence: str
    test: str
    statistic: float
    p_value: float | None


@dataclasses.dataclass(frozen=True)
class Terms:
    """What all proofs of a verdict share.

    Attributes:
        names: the classes, in the order of their labels.
        threshold: the p-value below which something is proven.
        misnamed: classes whose images show another class: real ones of them are no yardstick.
        lost: whether a class is missing: then images of other classes stand in for it, and the
            shares of classes in the whole set are not those asked for.
    """

    names: tuple[str, ...]
    threshold: float
    misnamed: frozenset[str] = frozenset()
    lost: bool = False

    def after(self, of_classes: Iterable[Fault]) -> Terms:
        """The terms once it is known which classes show another one."""
        wrong = [fault for fault in of_classes if fault.fault in (SWAPPED, MISSING)]
        misnamed = frozenset(name for fault in wrong for name in fault.classes)
        lost = any(fault.fault == MISSING for fault in wrong)
        return dataclasses.replace(self, misnamed=misnamed, lost=lost)

    def standing(self, guilty: Guilty) -> Guilty:
        """What stands of a guilt: not that of a class by the yardstick of another one.

        Nor that of the whole set where a class is missing and such classes alone have it, too: they
        are the reason.
        """
        standing = {name: part for name, part in guilty.items() if name not in self.misnamed}
        explained = self.lost and len(standing) < len(guilty) and [*standing] == [None]
        return {} if explained else standing

    def case(self, guilty: Guilty) -> Case | None:
        """What to say of a guilt, by its gravest part; None where there is none.

        That is the whole set where all or none of its classes have it, else the class with the
        smallest p-value.
        """
        if not guilty:
            return None
        classes = tuple(name for name in guilty if name is not None)
        if None in guilty and len(classes) in (0, len(self.names)):
            gravest = None
        else:
            gravest = min(classes, key=lambda name: guilty[name]["p_value"])
        return Case(
            guilty[gravest],
            classes,
            of=f" of {', '.join(classes)}" if 0 < len(classes) < len(self.names) else "",
            whose=f" (figures of {gravest})" if gravest is not None and len(classes) > 1 else "",
        )


@dataclasses.dataclass(frozen=True)
class Case:
    """What a sentence speaks of.

    Attributes:
        part: the figures that it gives.
        classes: that have the fault.
        of: whose images it speaks of, in words; nothing where it is all of them.
        whose: whose figures it gives, in words, where it names several classes.
    """

    part: dict[str, Any]
    classes: tuple[str, ...]
    of: str
    whose: str
