"""Checks of the figures: each kind of fault has a test, a least difference and a sentence.

A fault needs a p-value below the threshold of the verdict and a difference that is large enough. It
names all classes that have it. Only the faults of `class_shown` are of one class, or of two swapped
classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.look_alikes import Leak
from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.copies import CopyFigures, Nearness
from skin_synth.evaluation.metrics.drift import AppearanceFigures, MeasureDrift, SmirnovTest
from skin_synth.evaluation.metrics.faithfulness import Faithfulness
from skin_synth.evaluation.metrics.manifold import VARIETY_K
from skin_synth.evaluation.metrics.permutation_tests import DifferenceTest, VarietyTest
from skin_synth.evaluation.metrics.texture import TextureTest
from skin_synth.evaluation.results import Copies, Fault
from skin_synth.evaluation.statistics.significance import fisher
from skin_synth.evaluation.verdict.context import (
    MISSING_CLASS,
    SWAPPED_LABELS,
    Evidence,
    Figures,
    Named,
    VerdictContext,
)

MISSING_SHARE = 0.5
"""A class is missing if the judge finds it in less than this part of its share of real images."""
SMALLEST_LOSS = 0.1
"""A share of images must fall by this much to be a fault."""
BLURRED_RATIO, NOISY_RATIO = 0.85, 1.18
"""Ratios of fine detail, synthetic to real, that are a fault, as are all beyond them."""
LARGE_DRIFT = 0.5
"""A measure must drift by this many standard deviations to be a fault."""
ABOVE_FLOOR = 2.0
"""A drift must be this many times the drift of the real baseline to be a fault."""
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
    "leak": "count of groups and of pairs of images",
    "real_images": "count of images",
}


def leak(found: Leak) -> Iterator[Fault]:
    """Checks for test images of lesions in training, by their groups and by how they look.

    Other images that several splits share are also left out, and a warning names them.
    """
    groups, pairs = found.groups_in_train_and_test, found.look_alikes_across_splits
    parts = []
    if pairs:
        example = f", such as {found.look_alikes[0]}" if found.look_alikes else ""
        parts.append(f"{pairs:,} pairs of images of different splits look the same{example}")
    if groups:
        parts.append(
            f"{groups:,} groups (lesions or patients) have images in the training and in the test "
            "split"
        )
    if groups or any(found.left_out_of_test):
        left_out = sum(found.left_out_of_test) + found.left_out_of_validation
        # Looks alone prove no leak: plain images of two lesions can look the same.
        opening, mend = (
            ("The data set leaks", "Build")
            if groups
            else (
                "The data set seems to leak",
                "Look at these pairs. If they show one lesion, build",
            )
        )
        text = (
            f"{opening}: {', and '.join(parts)}. {left_out:,} test and validation images of "
            f"lesions in training are left out of all comparisons here. {mend} the data set again "
            "with the groups of its lesions, and train on it."
        )
        yield Fault("leak", (), text, TESTS["leak"], float(pairs + groups), None)


def real_images(equal: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Checks for files of synthetic images that equal a real image; `equal` are files by split."""
    if number := sum(map(len, equal.values())):
        where = ", ".join(f"{len(files):,} of {split}" for split, files in equal.items() if files)
        first = next(file for files in equal.values() for file in files)
        text = (
            f"Real images are among them: {number:,} files equal a real image of the data set, "
            f"pixel for pixel ({where}), such as {first}. Take them out, and keep the images of "
            "other splits from the training of the program."
        )
        yield Fault("real_images", (), text, TESTS["real_images"], float(number), None)


def _measured(found: ByClass[Figures | None]) -> Iterator[Named[Figures]]:
    """Yields the measured figures, the whole set first."""
    return ((name, part) for name, part in found.items() if part is not None)


class CopyProof(NamedTuple):
    """A test of copies: `copied` of `n` images are copies, for the reason in `how`."""

    p_value: float
    copied: int
    n: int
    how: str
    test: str

    @classmethod
    def near(cls, found: CopyFigures) -> CopyProof:
        """Tests whether images are near in both ways."""
        how = (
            f"are nearer to a training image than {_all_but(found.absolute)} other real images "
            "are, and much nearer to that lesion than to all others"
        )
        return cls(found.both.p_value, found.both.near, found.absolute.n, how, "copies")

    @classmethod
    def equal(cls, found: CopyFigures) -> CopyProof:
        """Tests whether images are equal to training images more often than real ones are."""
        part = found.absolute
        p_value = fisher(part.yardstick_same, part.n_yardstick, part.same, part.n)
        return cls(p_value, part.same, part.n, "are equal to a training image", "equal")


def copies(found: Copies, context: VerdictContext) -> Iterator[Fault]:
    """Checks for images that are near, and much nearer to one lesion than to others.

    It also checks for images that are equal to training images more often than real ones are, even
    if they are few.
    """
    proofs = [
        (name, CopyProof.near(part))
        for search in (found.pixels, found.features)
        for name, part in _measured(search)
        if name not in context.mislabelled
    ]
    proofs += [(name, CopyProof.equal(part)) for name, part in _measured(found.pixels)]
    if finding := context.finding(context.strongest(proofs)):
        proof = finding.figures
        text = (
            f"Copies of training images: {proof.copied:,} of {proof.n:,} synthetic images"
            f"{finding.of} {proof.how}{finding.whose}."
        )
        share, test = proof.copied / proof.n, TESTS[proof.test]
        yield Fault("copies", finding.classes, text, test, share, proof.p_value)


def _all_but(part: Nearness) -> str:
    """Names the real images beyond a threshold: "all but 2 of 300"."""
    among = part.n_yardstick - part.yardstick_same
    return f"all but {part.rank - 1:,} of {among:,}" if part.rank > 1 else f"all {among:,}"


def class_shown(found: Faithfulness, context: VerdictContext) -> Iterator[Fault]:
    """Checks for classes whose images show another class, by the judge."""
    low: dict[str, tuple[float, float, float]] = {}
    shown, look_like = {}, {}
    rows = zip(found.synthetic.confusion, found.real.confusion_of_lesions, strict=True)
    for label, (name, (ours, theirs)) in enumerate(zip(context.names, rows, strict=True)):
        if not sum(ours) or not sum(theirs):
            continue
        share, bar = ours[label] / sum(ours), theirs[label] / sum(theirs)
        p_value = fisher(ours[label], sum(ours), theirs[label], sum(theirs))
        if p_value < context.threshold and bar - share >= SMALLEST_LOSS:
            low[name] = (share, bar, p_value)
            assigned = dict(zip(context.names, ours, strict=True))
            shown[name] = max(assigned, key=assigned.__getitem__)
            del assigned[name]
            look_like[name] = max(assigned, key=assigned.__getitem__)
    swapped = {name: other for name, other in shown.items() if shown.get(other) == name != other}
    for pair in ((name, other) for name, other in swapped.items() if name < other):
        text = (
            f"Two labels are swapped: images requested as {pair[0]} show {pair[1]}, and the other "
            "way round."
        )
        share, p_value = (max(low[name][part] for name in pair) for part in (0, 2))
        yield Fault(SWAPPED_LABELS, pair, text, TESTS["class"], share, p_value)
    for name, (share, bar, p_value) in low.items():
        if name in swapped:
            continue
        missing = share < MISSING_SHARE * bar
        text = (
            f"Class {name} is {'missing' if missing else 'shown too rarely'}: a classifier finds "
            f"it in {share:.0%} of the images requested as {name}, and in {bar:.0%} of real ones; "
            f"the others look like {look_like[name]} most often."
        )
        fault = MISSING_CLASS if missing else "weak_class"
        yield Fault(fault, (name,), text, TESTS["class"], share, p_value)


class DetailProof(NamedTuple):
    """A test of fine detail; the ratio is of medians, synthetic to real."""

    p_value: float
    ratio: float


def texture(found: ByClass[TextureTest | None], context: VerdictContext) -> Iterator[Fault]:
    """Checks for less fine detail than real images have, or more."""
    blur: Evidence[DetailProof] = {}
    noise: Evidence[DetailProof] = {}
    for name, part in _measured(found):
        ratio = part.synthetic_median / max(part.real_median, 1e-9)
        if part.p_value_less < context.threshold and ratio <= BLURRED_RATIO:
            blur[name] = DetailProof(part.p_value_less, ratio)
        if part.p_value_more < context.threshold and ratio >= NOISY_RATIO:
            noise[name] = DetailProof(part.p_value_more, ratio)
    for fault, word, sign, evidence in (
        ("blur", "blurred", "less", blur),
        ("noise", "noisy", "more", noise),
    ):
        if finding := context.finding(context.drop_explained(evidence)):
            p_value, ratio = finding.figures
            text = (
                f"The images{finding.of} are {word}: they have {abs(1 - ratio):.0%} {sign} "
                f"fine detail than real ones (median){finding.whose}."
            )
            yield Fault(fault, finding.classes, text, TESTS["texture"], ratio, p_value)


def variety(
    by_features: ByClass[VarietyTest | None],
    by_profiles: ByClass[VarietyTest | None],
    context: VerdictContext,
) -> Iterator[Fault]:
    """Checks for neighbourhoods of real images that synthetic ones reach too rarely."""
    parts = [*_measured(by_features), *_measured(by_profiles)]
    if finding := context.finding(context.drop_explained(context.strongest(parts))):
        part, classes = finding.figures, finding.classes
        text = (
            f"Variety{finding.of} is too low: synthetic images reach {part.coverage:.0%} of the "
            f"real ones' neighbourhoods, other real images {part.coverage_floor:.0%}"
            f"{finding.whose}."
        )
        test = TESTS["variety"]
        yield Fault("little_variety", classes, text, test, part.coverage, part.p_value)


def duplicates(found: ByClass[Nearness | None], context: VerdictContext) -> Iterator[Fault]:
    """Checks for synthetic images that are nearer to each other than real ones are."""
    evidence = context.drop_explained(context.strongest(_measured(found)))
    if finding := context.finding(evidence):
        part, classes = finding.figures, finding.classes
        text = (
            f"Synthetic images{finding.of} repeat each other: {part.near:,} of {part.n:,} are "
            f"nearer to another synthetic image than {_all_but(part)} real images are to another "
            f"real one{finding.whose}."
        )
        test = TESTS["duplicates"]
        yield Fault("duplicates", classes, text, test, part.share_below, part.p_value)


def difference(found: ByClass[DifferenceTest | None], context: VerdictContext) -> Iterator[Fault]:
    """Checks for features with another distribution than those of real images."""
    evidence = context.drop_explained(context.strongest(_measured(found)))
    if finding := context.finding(evidence):
        part, classes = finding.figures, finding.classes
        text = (
            f"The images{finding.of} can be distinguished from real ones: chance does not explain "
            "how their features differ. The distances say how far apart they are."
        )
        test = TESTS["difference"]
        yield Fault("unlike_real", classes, text, test, part.kernel, part.p_value)


def no_lesion(found: ByClass[AppearanceFigures], context: VerdictContext) -> Iterator[Fault]:
    """Checks for images of skin in which no lesion stands out."""
    evidence = {
        name: part.lesions
        for name, part in found.items()
        if part.lesions.p_value < context.threshold
        and part.lesions.share_real - part.lesions.share_synthetic >= SMALLEST_LOSS
    }
    if finding := context.finding(context.drop_explained(evidence)):
        part, classes = finding.figures, finding.classes
        text = (
            f"No lesion stands out from the skin in {1 - part.share_synthetic:.0%} of the "
            f"synthetic images{finding.of}, and in {1 - part.share_real:.0%} of real ones"
            f"{finding.whose}: bare skin, or a lesion that fills the image."
        )
        test = TESTS["lesion"]
        yield Fault("no_lesion", classes, text, test, part.share_synthetic, part.p_value)


class DriftProof(NamedTuple):
    """A drift of one measure: its size, the real baseline's, its test, its direction in words."""

    measure: str
    size: float
    floor: float | None
    test: SmirnovTest
    way: str

    @classmethod
    def of(cls, measure: str, found: MeasureDrift, threshold: float) -> DriftProof | None:
        """Returns the proof; None if the drift is too small, not proven or not measured."""
        if found.drift is None or found.test is None:
            return None
        size = found.drift.drift
        large = size >= max(LARGE_DRIFT, ABOVE_FLOOR * (found.floor or 0.0))
        if not large or len(MEASURES) * found.test.p_value >= threshold:
            return None
        return cls(measure, size, found.floor, found.test, _way(measure, found))


def drift(found: ByClass[AppearanceFigures], context: VerdictContext) -> Iterator[Fault]:
    """Checks the measures of appearance; one fault names all measures that moved."""
    moved: dict[str, Evidence[DriftProof]] = {}
    for name, part in found.items():
        for measure, figures in part.measures.items():
            if proof := DriftProof.of(measure, figures, context.threshold):
                moved.setdefault(measure, {})[name] = proof
    kept = [context.drop_explained(evidence) for evidence in moved.values()]
    proofs = [(name, proof) for evidence in kept for name, proof in evidence.items()]
    if not proofs:
        return
    having = {name for name, _ in proofs}
    listed = "; ".join(_moved(evidence, context.names) for evidence in kept if evidence)
    name, worst = max(proofs, key=lambda part: part[1].size)
    floor = "could not be measured" if worst.floor is None else f"is {worst.floor:.1f}"
    classes = () if None in having else tuple(name for name in context.names if name in having)
    text = (
        f"Skin or lesions differ from those of the real images: {listed}. The largest drift is "
        f"{worst.size:.1f} standard deviations ({worst.measure.replace('_', ' ')} of "
        f"{name or 'the whole set'}); that of other real images {floor}."
    )
    p_value = min(1.0, len(MEASURES) * worst.test.p_value)
    yield Fault("drift", classes, text, TESTS["drift"], worst.test.statistic, p_value)


def _moved(evidence: Evidence[DriftProof], names: Sequence[str]) -> str:
    """Returns the direction of a measure, with the classes that moved in the same way."""
    ways: dict[str, list[str | None]] = {}
    for name in (None, *names):
        if name in evidence:
            ways.setdefault(evidence[name].way, []).append(name)
    measure = next(iter(evidence.values())).measure.replace("_", " ")
    return "; ".join(
        f"{measure}{'' if None in moved else ' of ' + ', '.join(map(str, moved))} is {way}"
        for way, moved in ways.items()
    )


def _way(measure: str, found: MeasureDrift) -> str:
    """Returns the direction by the medians; if they are close, the spread has changed."""
    real, synthetic = found.real, found.synthetic
    if real.median is None or synthetic.median is None or real.deviation is None:
        return "of another spread"
    by = synthetic.median - real.median
    if abs(by) < LARGE_DRIFT / 2 * real.deviation:
        return "of another spread"
    if measure == "skin_tone":
        return "lighter" if by > 0 else "darker"
    return "higher" if by > 0 else "lower"
