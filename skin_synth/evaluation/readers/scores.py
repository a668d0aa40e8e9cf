"""How well readers distinguish synthetic images from real ones, and see their classes."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from skin_synth.evaluation.readers.form import CERTAINTIES, Answer, Key, KeyItem, Reading
from skin_synth.evaluation.statistics.agreement import cohen_kappa, jackknife
from skin_synth.evaluation.statistics.detection import detection
from skin_synth.evaluation.statistics.intervals import Interval, share_interval
from tfrecords_tools.records.schema import ORIGIN_REAL, ORIGIN_SYNTHETIC

FEW_IMAGES = 30
"""With fewer images of an origin, an interval is wider than a third of the scale."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """How well images were judged; a figure without answers is None.

    Attributes:
        real: number of answers to real images.
        synthetic: number of answers to synthetic images.
        accuracy: share of right origins.
        sensitivity: share of synthetic images that were called synthetic.
        specificity: share of real images that were called real.
        d_prime: separation of synthetic from real, in standard deviations; 0 is chance.
        bias: criterion c; above 0 the reader prefers "real", below 0 "synthetic".
        class_right_real: share of real images of which the class was seen, if readers were asked.
        class_right_synthetic: share of synthetic images of which the class was seen.
    """

    real: int
    synthetic: int
    accuracy: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    d_prime: Interval | None
    bias: float | None
    class_right_real: Interval | None
    class_right_synthetic: Interval | None


@dataclasses.dataclass(frozen=True)
class CertaintyFigures:
    """The answers with one certainty, and the share of right ones; None without answers."""

    certainty: int
    answers: int
    accuracy: Interval | None


@dataclasses.dataclass(frozen=True)
class ReaderFigures:
    """One reader.

    Attributes:
        reader: the name.
        unanswered: number of images without an answer.
        all: figures of all images.
        classes: figures of each class.
        certainties: of each certainty.
        seconds: median time on an image; None on paper.
    """

    reader: str
    unanswered: int
    all: Figures
    classes: Mapping[str, Figures]
    certainties: tuple[CertaintyFigures, ...]
    seconds: float | None


@dataclasses.dataclass(frozen=True)
class PairAgreement:
    """Cohen's kappa of two readers, over the images that both answered."""

    first: str
    second: str
    images: int
    origin: Interval | None
    judged_class: Interval | None


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Agreement between readers.

    Attributes:
        pairs: of readers.
        origin: mean kappa of the pairs for real or synthetic (Light, Psychological Bulletin 1971).
        judged_class: the same for the class.
    """

    pairs: tuple[PairAgreement, ...]
    origin: float | None
    judged_class: float | None


@dataclasses.dataclass(frozen=True)
class ImageFigures:
    """One image: how many readers answered, and how many were right about its origin."""

    number: int
    class_name: str
    origin: str
    source: str
    answers: int
    right: int


@dataclasses.dataclass(frozen=True)
class ReaderScores:
    """The result of a reader study.

    Attributes:
        study: id of the study.
        images: number of images.
        all: mean figures of the readers. Their intervals are the means of the readers' intervals:
            those of one answer to each image, because readers judge the same images.
        classes: the same for each class.
        certainties: of all answers.
        readers: each reader.
        agreement: between readers; None with one reader.
        by_image: each image.
        warnings: what limits the result.
    """

    study: str
    images: int
    all: Figures
    classes: Mapping[str, Figures]
    certainties: tuple[CertaintyFigures, ...]
    readers: tuple[ReaderFigures, ...]
    agreement: Agreement | None
    by_image: tuple[ImageFigures, ...]
    warnings: tuple[str, ...]


def score(key: Key, readings: Sequence[Reading]) -> ReaderScores:
    """Compares the answers of one reader or more with the key."""
    readers = tuple(_reader(key, reading) for reading in readings)
    answers = [answer for reading in readings for answer in reading.answers]
    return ReaderScores(
        study=key.study,
        images=len(key.items),
        all=_mean_figures([reader.all for reader in readers]),
        classes={
            name: _mean_figures([reader.classes[name] for reader in readers])
            for name in key.class_names
        },
        certainties=_certainties(answers),
        readers=readers,
        agreement=_agreement(readings) if len(readings) > 1 else None,
        by_image=tuple(_image(item, answers) for item in key.items.values()),
        warnings=tuple(_warnings(key, readings, readers)),
    )


def figures(answers: Iterable[Answer]) -> Figures:
    """Computes the figures of the answers of one reader."""
    by_origin: dict[str, list[Answer]] = {ORIGIN_REAL: [], ORIGIN_SYNTHETIC: []}
    for answer in answers:
        by_origin[answer.item.origin].append(answer)
    real, synthetic = by_origin[ORIGIN_REAL], by_origin[ORIGIN_SYNTHETIC]
    separation = None
    if real and synthetic:
        hits, alarms = sum(_right(synthetic)), len(real) - sum(_right(real))
        separation = detection(hits, len(synthetic), alarms, len(real))
    return Figures(
        len(real),
        len(synthetic),
        accuracy=_share(_right([*real, *synthetic])),
        sensitivity=_share(_right(synthetic)),
        specificity=_share(_right(real)),
        d_prime=None if separation is None else separation.d_prime,
        bias=None if separation is None else separation.bias,
        class_right_real=_share(_class_right(real)),
        class_right_synthetic=_share(_class_right(synthetic)),
    )


def _right(answers: Iterable[Answer]) -> list[bool]:
    return [answer.right for answer in answers]


def _class_right(answers: Sequence[Answer]) -> list[bool]:
    """Returns whether each class is right; empty if readers were not asked for it."""
    return [answer.judged_class == answer.item.class_name for answer in answers if _asked(answer)]


def _asked(answer: Answer) -> bool:
    """Returns whether the answer is from the page: it asks for the class, and "none" is one."""
    return answer.position is not None or bool(answer.judged_class)


def _share(right: Sequence[bool]) -> Interval | None:
    return share_interval(sum(right), len(right)) if right else None


def _mean_figures(of_readers: Sequence[Figures]) -> Figures:
    """Returns the means of the figures and of the ends of their intervals.

    The variance of a mean is at most that of its parts, so the interval is never too narrow for
    other images; it says nothing about other readers.
    """

    def mean(name: str) -> Interval | None:
        found = [getattr(each, name) for each in of_readers if getattr(each, name) is not None]
        if not found:
            return None
        ends = np.mean([dataclasses.astuple(each) for each in found], axis=0)
        return Interval(*ends.tolist())

    biases = [each.bias for each in of_readers if each.bias is not None]
    return Figures(
        real=sum(each.real for each in of_readers),
        synthetic=sum(each.synthetic for each in of_readers),
        bias=statistics.fmean(biases) if biases else None,
        accuracy=mean("accuracy"),
        sensitivity=mean("sensitivity"),
        specificity=mean("specificity"),
        d_prime=mean("d_prime"),
        class_right_real=mean("class_right_real"),
        class_right_synthetic=mean("class_right_synthetic"),
    )


def _reader(key: Key, reading: Reading) -> ReaderFigures:
    seconds = [answer.seconds for answer in reading.answers if answer.seconds is not None]
    return ReaderFigures(
        reader=reading.reader,
        unanswered=len(key.items) - len(reading.answers),
        all=figures(reading.answers),
        classes={
            name: figures(each for each in reading.answers if each.item.class_name == name)
            for name in key.class_names
        },
        certainties=_certainties(reading.answers),
        seconds=statistics.median(seconds) if seconds else None,
    )


def _certainties(answers: Sequence[Answer]) -> tuple[CertaintyFigures, ...]:
    found = []
    for certainty in CERTAINTIES:
        right = _right(answer for answer in answers if answer.certainty == certainty)
        found.append(CertaintyFigures(certainty, len(right), _share(right)))
    return tuple(found)


def _agreement(readings: Sequence[Reading]) -> Agreement:
    pairs = tuple(itertools.starmap(_pair, itertools.combinations(readings, 2)))
    return Agreement(
        pairs,
        _mean([pair.origin for pair in pairs]),
        _mean([pair.judged_class for pair in pairs]),
    )


def _mean(found: Sequence[Interval | None]) -> float | None:
    known = [each.estimate for each in found if each is not None]
    return statistics.fmean(known) if known else None


def _pair(first: Reading, second: Reading) -> PairAgreement:
    of_second = {answer.item.number: answer for answer in second.answers}
    both = [
        (answer, of_second[answer.item.number])
        for answer in first.answers
        if answer.item.number in of_second
    ]

    def kappa(
        of: Callable[[Answer], str], pairs: Sequence[tuple[Answer, Answer]]
    ) -> Interval | None:
        columns = [[of(pair[side]) for pair in pairs] for side in (0, 1)]
        one, other = (np.array(column, object) for column in columns)
        return jackknife(lambda rows: cohen_kappa(one[rows], other[rows]), len(pairs))

    asked = [pair for pair in both if _asked(pair[0]) and _asked(pair[1])]
    return PairAgreement(
        first.reader,
        second.reader,
        len(both),
        origin=kappa(lambda answer: answer.origin, both),
        judged_class=kappa(lambda answer: answer.judged_class, asked),
    )


def _image(item: KeyItem, answers: Iterable[Answer]) -> ImageFigures:
    right = _right(answer for answer in answers if answer.item == item)
    return ImageFigures(**dataclasses.asdict(item), answers=len(right), right=sum(right))


def _warnings(
    key: Key, readings: Sequence[Reading], readers: Sequence[ReaderFigures]
) -> Iterable[str]:
    if len(readers) == 1:
        yield "One reader is no study: other readers may judge otherwise."
    for reader in readers:
        if reader.unanswered:
            yield f"{reader.reader} left {reader.unanswered:,} of {len(key.items):,} images out."
    fewest = min(
        sum(item.origin == origin for item in key.items.values())
        for origin in (ORIGIN_REAL, ORIGIN_SYNTHETIC)
    )
    if fewest < FEW_IMAGES:
        yield (
            f"There are only {fewest} images of one origin, so the intervals are wide: use 50 or "
            "more of each."
        )
    if not any(_asked(answer) for reading in readings for answer in reading.answers):
        yield "The readers were not asked for the class: the page study.html asks for it."
