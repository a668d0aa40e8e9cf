"""The faults that figures prove: for each kind its test, what matters, and a sentence about it.

A fault needs both: a p-value below the threshold that the verdict sets, and a difference that
matters. A fault names all the classes that have it, but for `class_shown`, whose faults are of one
class (or of two that are swapped).

The functions take what report.json holds of their kind of test, and the `Terms` of the verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from skin_synth.evaluation.appearance import MEASURES
from skin_synth.evaluation.manifold import VARIETY_K
from skin_synth.evaluation.significance import fisher

LOST_SHARE = 0.5
"""A class is missing below this share of what the judge finds of real images."""
SMALLEST_LOSS = 0.1
"""Of a share of images that show what they should: less is no fault that matters."""
BLURRED, NOISY = 0.85, 1.18
"""Fine detail of synthetic over that of real images from which on the difference matters."""
TESTS = {
    "copies": "precedence test of images near in both ways, one-sided",
    "equal": "Fisher's exact test of images equal to a training image, one-sided",
    "duplicates": "precedence test of shares below the first percentile of real images, one-sided",
    "class": "Fisher's exact test of the judge's hits, one-sided",
    "variety": "permutation test of coverage (mean over k = "
    f"{', '.join(map(str, VARIETY_K))}), one-sided",
    "texture": "rank-sum test of fine detail, one-sided",
    "difference": "permutation test of the kernel distance, one-sided",
    "lesion": "Fisher's exact test of images in which a lesion stands out, one-sided",
    "drift": "Smirnov's test of each measure, two-sided, times the number of measures",
    "leak": "count of groups",
}
LARGE_DRIFT = 0.5
"""Standard deviations by which a measure of appearance must have moved to matter."""
ABOVE_FLOOR = 2.0
"""Times the drift of other real images that a drift must be."""

Proof = tuple[float, int, int, str, str]
"""Of copies: p-value, how many images of how many, in words, and the test."""
Guilty = dict[str | None, Any]
"""What is proven of each class that has a fault, and of the whole set (None)."""
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
        mixed: whether the images asked for still show all classes in equal shares, as where labels
            are swapped, but not where a class is missing.
    """

    names: tuple[str, ...]
    threshold: float
    misnamed: frozenset[str] = frozenset()
    mixed: bool = True

    def after(self, of_classes: Iterable[Fault]) -> Terms:
        """The terms once it is known which classes show another one."""
        wrong = [fault for fault in of_classes if fault.fault in (SWAPPED, MISSING)]
        misnamed = frozenset(name for fault in wrong for name in fault.classes)
        mixed = all(fault.fault == SWAPPED for fault in wrong)
        return dataclasses.replace(self, misnamed=misnamed, mixed=mixed)

    def standing(self, guilty: Guilty) -> Guilty:
        """What stands of a guilt: not that of a class by the yardstick of another one.

        Nor that of the whole set where such classes have it, too, and no others have: they are the
        reason, unless the shares of the classes are as they should be.
        """
        standing = {name: part for name, part in guilty.items() if name not in self.misnamed}
        explained = not self.mixed and len(standing) < len(guilty) and [*standing] == [None]
        return {} if explained else standing

    def of(self, classes: tuple[str, ...]) -> str:
        """Whose images a sentence speaks of: nothing where it is all of them."""
        return f" of {', '.join(classes)}" if 0 < len(classes) < len(self.names) else ""


def leak(groups: int) -> Iterator[Fault]:
    """Groups with images in the training and in the test split."""
    if groups:
        yield Fault(
            "leak",
            (),
            f"{groups:,} groups (lesions or patients) have images in the training and in the test "
            "split: all figures flatter, and copies cannot be told from new images. Build the data "
            "set anew with groups.",
            TESTS["leak"],
            float(groups),
            None,
        )


def _below(found: dict[str, Any], terms: Terms) -> Guilty:
    """Those with a p-value below the threshold."""
    parts = _parts(found, terms.names)
    return {name: part for name, part in parts.items() if part["p_value"] < terms.threshold}


def _parts(found: dict[str, Any], names: tuple[str, ...]) -> Guilty:
    """Of the whole set (None) and of each class, where there is something."""
    parts: Guilty = {None: found["whole"]}
    parts |= {name: found["classes"][name] for name in names}
    return {name: part for name, part in parts.items() if part is not None}


def copies(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Images are copies where they are near, and much nearer to one lesion than to others.

    Or where they are equal to training images more often than real ones are, however few these are.
    """
    proofs = [
        (name, prove(part))
        for space, prove in (("pixels", _near), ("features", _near), ("pixels", _equal))
        for name, part in _parts(found[space], terms.names).items()
        if prove is _equal or name not in terms.misnamed
    ]
    guilty: dict[str | None, Proof] = {}
    for name, proof in proofs:
        if proof[0] < min(terms.threshold, guilty.get(name, (1.0,))[0]):
            guilty[name] = proof
    if guilty:
        first, (p_value, count, n, how, test) = _gravest(guilty, terms.names)
        classes = tuple(name for name in guilty if name is not None)
        yield Fault(
            "copies",
            classes,
            f"Copies of training images: {count:,} of {n:,} synthetic images"
            f"{terms.of(classes)} {how}{_for(first, classes)}.",
            test,
            count / n,
            p_value,
        )


def _near(part: dict[str, Any]) -> Proof:
    """That images are near in both ways."""
    absolute, both = part["absolute"], part["both"]
    how = (
        f"are nearer to a training image than {_all_but(absolute)} other real images are, and much "
        "nearer to that lesion than to all others"
    )
    return both["p_value"], both["near"], absolute["n"], how, TESTS["copies"]


def _equal(part: dict[str, Any]) -> Proof:
    """That images are equal to training images more often than real ones are."""
    found = part["absolute"]
    p_value = fisher(found["yardstick_same"], found["n_yardstick"], found["same"], found["n"])
    return p_value, found["same"], found["n"], "are equal to a training image", TESTS["equal"]


def _all_but(part: dict[str, Any]) -> str:
    """Real images beyond a threshold: "all but 2 of 300"; the first is nearest of all."""
    among = part["n_yardstick"] - part["yardstick_same"]
    return f"all but {part['rank'] - 1:,} of {among:,}" if part["rank"] > 1 else f"all {among:,}"


def class_shown(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Classes whose images show another class, by the judge."""
    names, synthetic, real = terms.names, found["synthetic"], found["real"]
    low: dict[str, tuple[float, float, float]] = {}
    for label, name in enumerate(names):
        ours, theirs = synthetic["confusion"][label], real["confusion_of_lesions"][label]
        if not sum(ours) or not sum(theirs):
            continue
        share, bar = ours[label] / sum(ours), theirs[label] / sum(theirs)
        p_value = fisher(ours[label], sum(ours), theirs[label], sum(theirs))
        if p_value < terms.threshold and bar - share >= SMALLEST_LOSS:
            low[name] = (share, bar, p_value)
    taken = {name: _taken_for(synthetic["confusion"][names.index(name)], names) for name in low}
    swapped = [
        (name, other) for name, other in taken.items() if taken.get(other) == name and name < other
    ]
    for pair in swapped:
        p_value = max(low[name][2] for name in pair)
        yield Fault(
            SWAPPED,
            pair,
            f"Two labels are swapped: images asked for as {pair[0]} show {pair[1]}, and the other "
            "way round.",
            TESTS["class"],
            max(low[name][0] for name in pair),
            p_value,
        )
    in_pairs = {name for pair in swapped for name in pair}
    for name, (share, bar, p_value) in low.items():
        if name in in_pairs:
            continue
        strangers = [other for other in names if other != name]
        row = synthetic["confusion"][names.index(name)]
        other = _taken_for([row[names.index(each)] for each in strangers], strangers)
        missing = share < LOST_SHARE * bar
        what = f"Class {name} is missing" if missing else f"Class {name} is shown too rarely"
        yield Fault(
            MISSING if missing else "weak_class",
            (name,),
            f"{what}: a classifier finds it in {share:.0%} of the images asked for as {name}, and "
            f"in {bar:.0%} of real ones; the others look like {other} most often.",
            TESTS["class"],
            share,
            p_value,
        )


def _taken_for(row: Sequence[int], names: Sequence[str]) -> str:
    """The class, of those named, that most images of a row were assigned to."""
    return names[max(range(len(names)), key=lambda label: row[label])]


def texture(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Less fine detail than real images have, or more."""
    for fault, key, matters in (
        ("blur", "p_value_less", lambda ratio: ratio <= BLURRED),
        ("noise", "p_value_more", lambda ratio: ratio >= NOISY),
    ):
        guilty: Guilty = {}
        for name, part in _parts(found, terms.names).items():
            ratio = part["synthetic_median"] / max(part["real_median"], 1e-9)
            if part[key] < terms.threshold and matters(ratio):
                guilty[name] = (part[key], ratio)
        if guilty := terms.standing(guilty):
            first, (p_value, ratio) = _gravest(guilty, terms.names)
            classes = tuple(name for name in guilty if name is not None)
            said = f"{1 - ratio:.0%} less" if fault == "blur" else f"{ratio - 1:.0%} more"
            word = "blurred" if fault == "blur" else "noisy"
            yield Fault(
                fault,
                classes,
                f"The images{terms.of(classes)} are {word}: they have {said} fine detail than "
                f"real ones (median){_for(first, classes)}.",
                TESTS["texture"],
                ratio,
                p_value,
            )


def variety(
    by_features: dict[str, Any],
    by_profiles: dict[str, Any],
    terms: Terms,
) -> Iterator[Fault]:
    """Neighbourhoods of real images that synthetic ones reach less often than they should."""
    guilty: Guilty = {}
    for found in (by_features, by_profiles):
        for name, part in _parts(found, terms.names).items():
            before = guilty.get(name, {"p_value": terms.threshold})
            if part["p_value"] < before["p_value"]:
                guilty[name] = part
    if guilty := terms.standing(guilty):
        first, part = _gravest(guilty, terms.names)
        classes = tuple(name for name in guilty if name is not None)
        yield Fault(
            "little_variety",
            classes,
            f"Variety is missing{terms.of(classes)}: synthetic images reach "
            f"{part['coverage']:.0%} of the real ones' neighbourhoods, other real images "
            f"{part['coverage_floor']:.0%}{_for(first, classes)}.",
            TESTS["variety"],
            part["coverage"],
            part["p_value"],
        )


def duplicates(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Synthetic images that are nearer to each other than real ones are."""
    if guilty := terms.standing(_below(found, terms)):
        first, part = _gravest(guilty, terms.names)
        classes = tuple(name for name in guilty if name is not None)
        yield Fault(
            "duplicates",
            classes,
            f"Synthetic images repeat each other{terms.of(classes)}: {part['near']:,} of "
            f"{part['n']:,} are nearer to another synthetic image than {_all_but(part)} real "
            f"images are to another real one{_for(first, classes)}.",
            TESTS["duplicates"],
            part["share_below"],
            part["p_value"],
        )


def difference(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Features with another distribution than those of real images."""
    if guilty := terms.standing(_below(found, terms)):
        _, part = _gravest(guilty, terms.names)
        classes = tuple(name for name in guilty if name is not None)
        yield Fault(
            "unlike_real",
            classes,
            f"The images{terms.of(classes)} can be told from real ones: chance does not explain "
            "how their features differ. How far apart they are, the distances say.",
            TESTS["difference"],
            part["kernel"],
            part["p_value"],
        )


def no_lesion(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Pictures of skin in which no lesion stands out, more often than among real ones."""
    guilty: Guilty = {}
    for name, part in _parts(found, terms.names).items():
        lesions = part["lesions"]
        loss = _share(lesions, "real") - _share(lesions, "synthetic")
        if lesions["p_value"] < terms.threshold and loss >= SMALLEST_LOSS:
            guilty[name] = lesions
    if guilty := terms.standing(guilty):
        first, lesions = _gravest(guilty, terms.names)
        classes = tuple(name for name in guilty if name is not None)
        yield Fault(
            "no_lesion",
            classes,
            f"No lesion stands out from the skin in {1 - _share(lesions, 'synthetic'):.0%} of the "
            f"synthetic images{terms.of(classes)}, and in {1 - _share(lesions, 'real'):.0%} of "
            f"real ones{_for(first, classes)}: bare skin, or a lesion that fills the picture.",
            TESTS["lesion"],
            _share(lesions, "synthetic"),
            lesions["p_value"],
        )


def _share(lesions: dict[str, Any], kind: str) -> float:
    """Of images in which a lesion was found; 0 without images, whose p-value is 1."""
    return float(lesions[f"found_{kind}"] / max(lesions[f"n_{kind}"], 1))


def drift(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """One fault of all measures that moved: a reader wants to know who is in the pictures."""
    moved: dict[str, Guilty] = {}
    for name, part in _parts(found, terms.names).items():
        for measure, figures in part["measures"].items():
            if _is_large(figures) and len(MEASURES) * figures["test"]["p_value"] < terms.threshold:
                moved.setdefault(measure, {})[name] = figures
    moved = {measure: parts for measure, found in moved.items() if (parts := terms.standing(found))}
    if not moved:
        return
    every = [(measure, name) for measure, parts in moved.items() for name in parts]
    guilty = {name for _, name in every}
    classes = () if None in guilty else tuple(name for name in terms.names if name in guilty)
    measure, name = max(every, key=lambda key: float(moved[key[0]][key[1]]["drift"]["drift"]))
    worst = moved[measure][name]
    listed = "; ".join(_moved(measure, parts, terms.names) for measure, parts in moved.items())
    where = "the whole set" if name is None else name
    floor = "could not be measured" if worst["floor"] is None else f"is {worst['floor']:.1f}"
    yield Fault(
        "drift",
        classes,
        f"Other skin or lesions than in the real images: {listed}. The largest drift is "
        f"{worst['drift']['drift']:.1f} standard deviations ({measure.replace('_', ' ')} of "
        f"{where}); that of other real images {floor}.",
        TESTS["drift"],
        worst["test"]["statistic"],
        min(1.0, len(MEASURES) * worst["test"]["p_value"]),
    )


def _is_large(figures: dict[str, Any]) -> bool:
    if figures["drift"] is None or figures["test"] is None:
        return False
    return bool(
        figures["drift"]["drift"] >= max(LARGE_DRIFT, ABOVE_FLOOR * (figures["floor"] or 0.0))
    )


def _moved(measure: str, parts: Guilty, names: tuple[str, ...]) -> str:
    """In which way a measure moved: classes that moved in different ways are told apart."""
    ways: dict[str, list[str | None]] = {}
    for name in (None, *names):
        if name in parts:
            ways.setdefault(_way(measure, parts[name]), []).append(name)
    told = []
    for way, moved in ways.items():
        of = "" if None in moved else f" of {', '.join(map(str, moved))}"
        told.append(f"{measure.replace('_', ' ')}{of} is {way}")
    return "; ".join(told)


def _way(measure: str, figures: dict[str, Any]) -> str:
    """By the medians, or else the spread."""
    by = figures["synthetic"]["median"] - figures["real"]["median"]
    if abs(by) < LARGE_DRIFT / 2 * figures["real"]["deviation"]:
        return "of another spread"
    if measure == "skin_tone":
        return "lighter" if by > 0 else "darker"
    return "higher" if by > 0 else "lower"


def _gravest(guilty: Guilty, names: tuple[str, ...]) -> tuple[str | None, Any]:
    """What a sentence speaks of: the whole set where all or none of its classes are guilty."""
    some = [name for name in guilty if name is not None]
    if None in guilty and len(some) in (0, len(names)):
        return None, guilty[None]
    name = min(some, key=lambda name: _p_value(guilty[name]))
    return name, guilty[name]


def _p_value(part: Any) -> float:
    return part["p_value"] if isinstance(part, dict) else part[0]


def _for(name: str | None, classes: tuple[str, ...]) -> str:
    """Whose figures a sentence gives, where it names several classes."""
    return f" (figures of {name})" if name is not None and len(classes) > 1 else ""
