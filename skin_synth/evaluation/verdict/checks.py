"""The faults that figures prove: for each kind its test, what matters, and a sentence about it.

A fault needs both: a p-value below the threshold that the verdict sets, and a difference that
matters. A fault names all the classes that have it, but for `class_shown`, whose faults are of one
class (or of two that are swapped).

The functions take what report.json holds of their kind of test, and the `Terms` of the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.manifold import VARIETY_K
from skin_synth.evaluation.statistics.significance import fisher
from skin_synth.evaluation.verdict.accusation import MISSING, SWAPPED, Fault, Guilty, Terms

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


def _gravest(parts: Iterable[tuple[str | None, dict[str, Any]]], terms: Terms) -> Guilty:
    """Of each name the part with the smallest p-value, where that is below the threshold."""
    guilty: Guilty = {}
    for name, part in parts:
        before = guilty[name]["p_value"] if name in guilty else terms.threshold
        if part["p_value"] < before:
            guilty[name] = part
    return guilty


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
    if case := terms.case(_gravest(proofs, terms)):
        proof = case.part
        yield Fault(
            "copies",
            case.classes,
            f"Copies of training images: {proof['count']:,} of {proof['n']:,} synthetic images"
            f"{case.of} {proof['how']}{case.whose}.",
            proof["test"],
            proof["count"] / proof["n"],
            proof["p_value"],
        )


def _near(part: dict[str, Any]) -> dict[str, Any]:
    """That images are near in both ways."""
    absolute, both = part["absolute"], part["both"]
    how = (
        f"are nearer to a training image than {_all_but(absolute)} other real images are, and much "
        "nearer to that lesion than to all others"
    )
    return {
        "p_value": both["p_value"],
        "count": both["near"],
        "n": absolute["n"],
        "how": how,
        "test": TESTS["copies"],
    }


def _equal(part: dict[str, Any]) -> dict[str, Any]:
    """That images are equal to training images more often than real ones are."""
    found = part["absolute"]
    same, n = found["same"], found["n"]
    return {
        "p_value": fisher(found["yardstick_same"], found["n_yardstick"], same, n),
        "count": same,
        "n": n,
        "how": "are equal to a training image",
        "test": TESTS["equal"],
    }


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
                guilty[name] = {"p_value": part[key], "ratio": ratio}
        if case := terms.case(terms.standing(guilty)):
            ratio = case.part["ratio"]
            said = f"{1 - ratio:.0%} less" if fault == "blur" else f"{ratio - 1:.0%} more"
            word = "blurred" if fault == "blur" else "noisy"
            yield Fault(
                fault,
                case.classes,
                f"The images{case.of} are {word}: they have {said} fine detail than "
                f"real ones (median){case.whose}.",
                TESTS["texture"],
                ratio,
                case.part["p_value"],
            )


def variety(
    by_features: dict[str, Any],
    by_profiles: dict[str, Any],
    terms: Terms,
) -> Iterator[Fault]:
    """Neighbourhoods of real images that synthetic ones reach less often than they should."""
    parts = [
        *_parts(by_features, terms.names).items(),
        *_parts(by_profiles, terms.names).items(),
    ]
    if case := terms.case(terms.standing(_gravest(parts, terms))):
        part = case.part
        yield Fault(
            "little_variety",
            case.classes,
            f"Variety is missing{case.of}: synthetic images reach "
            f"{part['coverage']:.0%} of the real ones' neighbourhoods, other real images "
            f"{part['coverage_floor']:.0%}{case.whose}.",
            TESTS["variety"],
            part["coverage"],
            part["p_value"],
        )


def duplicates(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Synthetic images that are nearer to each other than real ones are."""
    if case := terms.case(terms.standing(_gravest(_parts(found, terms.names).items(), terms))):
        part = case.part
        yield Fault(
            "duplicates",
            case.classes,
            f"Synthetic images repeat each other{case.of}: {part['near']:,} of "
            f"{part['n']:,} are nearer to another synthetic image than {_all_but(part)} real "
            f"images are to another real one{case.whose}.",
            TESTS["duplicates"],
            part["share_below"],
            part["p_value"],
        )


def difference(found: dict[str, Any], terms: Terms) -> Iterator[Fault]:
    """Features with another distribution than those of real images."""
    if case := terms.case(terms.standing(_gravest(_parts(found, terms.names).items(), terms))):
        part = case.part
        yield Fault(
            "unlike_real",
            case.classes,
            f"The images{case.of} can be told from real ones: chance does not explain "
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
    if case := terms.case(terms.standing(guilty)):
        lesions = case.part
        yield Fault(
            "no_lesion",
            case.classes,
            f"No lesion stands out from the skin in {1 - _share(lesions, 'synthetic'):.0%} of the "
            f"synthetic images{case.of}, and in {1 - _share(lesions, 'real'):.0%} of "
            f"real ones{case.whose}: bare skin, or a lesion that fills the picture.",
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
