"""The figures of `benchmarks.study.versus`, from the stored images only.

All contestants are measured in the same way. There are two kinds of features: of a classifier
trained on the training split with a fixed seed, and of MobileNet (antialiased bicubic to 224). The
reference is the test split. The report gives kernel distances (KID) minus their floor, the distance
of as many other real images of each class to the reference. The whole set has as many synthetic
images of each
class as the reference; a class is compared with all of its synthetic images.

Each row chooses the better baseline by its own figures, which favours the baselines. Intervals
(95 %) are from the delete-a-group jackknife over the lesions of reference and floor and over the
synthetic images, with distances averaged over seeds; those of ratios are Fieller's. Ratios of the
single seeds show the variation between trainings. Copies are searched by pixels: distances to the
nearest training image, next to those of held-out images.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.study.jackknife import Comparison, Interval, Sample, deal
from benchmarks.study.versus_marks import OURS, Mark, contestants, load_marks
from benchmarks.study.versus_tables import (
    SUMMARIES,
    draw_curves,
    left_out_line,
    nearness_table,
    table,
)
from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.classifier import cached_classifier
from skin_synth.evaluation.features.extractors import Extractor, mobilenet, of_classifier
from skin_synth.evaluation.image_sets import choose_real_baseline
from skin_synth.evaluation.metrics import copies
from skin_synth.evaluation.metrics.manifold import coverage
from skin_synth.evaluation.metrics.nearest import NearestImages, nearest
from skin_synth.provenance import content_hash
from tfrecords_tools.atomic import new_file
from tfrecords_tools.records.reader import fingerprint, read_info

FLOOR = "floor"
CLASSIFIER_SEED = 2_000
FLOOR_SEED = 0
NEIGHBOURS = 5
MOST_FOR_COVERAGE = 500


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The real images of a report, by part: train, test and floor."""

    train: LabelledImages
    test: LabelledImages
    floor: LabelledImages


def report(
    data: str | os.PathLike[str], out: str | os.PathLike[str], *, weights: str | None = None
) -> str:
    """Writes report.md, .json and curves.png of all marks that every contestant has reached.

    Args:
        data: the data set that the contestants were trained on.
        out: directory of `benchmarks.study.versus`.
        weights: MobileNet's weights file; None leaves these features out.

    Returns:
        The tables, Markdown.

    Raises:
        InputError: no mark is common to all, or contestants that were not trained alike.
    """
    directory = Path(out)
    marks, left_out = load_marks(directory, fingerprint(data))
    reference = _reference(data)
    cache, names = Cache(directory / "cache"), reference.test.class_names
    judge_network = cached_classifier(
        reference.train, seed=CLASSIFIER_SEED, steps=None, cache=cache
    )
    extractors = [of_classifier(judge_network)]
    if weights is not None:
        extractors.append(mobilenet(weights))
    results = [
        judge(extractor, cache, reference, marks[minutes], minutes)
        for extractor in extractors
        for minutes in sorted(marks)
    ]
    near = nearness(cache, reference, marks)
    parts = [*(table(result, names) for result in results), nearness_table(near, names)]
    if left_out:
        parts.insert(0, left_out_line(left_out))
    text = "\n\n".join(parts) + "\n"
    with new_file(directory / "report.json") as file:
        file.write_text(json.dumps({"distances": results, "nearness": near}, indent=2))
    with new_file(directory / "report.md") as file:
        file.write_text(text)
    draw_curves(directory / "curves.png", results)
    return text


def _reference(data: str | os.PathLike[str]) -> Reference:
    train, test = load_split(data, "train"), load_split(data, "test")
    held_out = load_split(data, "validation") if "validation" in read_info(data).splits else None
    floor, _ = choose_real_baseline(train, held_out, test, np.random.default_rng(FLOOR_SEED))
    return Reference(train, test, floor)


def features(extractor: Extractor, images: np.ndarray, cache: Cache) -> np.ndarray:
    """float32[n, d] of uint8 images, from the cache."""
    parts = (*extractor.key, content_hash(images))
    return cache.arrays("features", parts, lambda: {"rows": extractor(images)})["rows"]


def judge(
    extractor: Extractor, cache: Cache, reference: Reference, marks: list[Mark], minutes: float
) -> dict[str, Any]:
    """All figures of one mark in one kind of features, as plain values for report.json."""
    test = reference.test
    counts = test.class_counts
    names = contestants(marks)
    seeds = sorted({mark.seed for mark in marks})
    found = {mark.name: features(extractor, mark.images, cache) for mark in marks}
    samples = {mark.name: _sample(found[mark.name], mark.labels, None, counts) for mark in marks}
    real, samples[FLOOR] = (
        _sample(features(extractor, part.images, cache), part.labels, part.groups, counts)
        for part in (test, reference.floor)
    )
    comparison = Comparison(real, samples, len(counts))
    rows = (*SUMMARIES, *test.class_names)
    return {
        "features": extractor.kernel_name,
        "provenance": dict(extractor.provenance),
        "minutes": minutes,
        "seeds": seeds,
        "contestants": names,
        "images_seen": {mark.name: mark.images_seen for mark in marks},
        "cpu_seconds": {mark.name: mark.cpu_seconds for mark in marks},
        "rows": {
            row: {
                "n": int(len(test) if i < 2 else counts[i - 2]),
                **compare_row(comparison, i, names, seeds),
            }
            for i, row in enumerate(rows)
        },
        "neighbours": NEIGHBOURS,
        "coverage": _coverages(extractor, cache, reference.train, marks, found),
    }


def _sample(
    found: np.ndarray, labels: np.ndarray, groups: tuple[str, ...] | None, counts: np.ndarray
) -> Sample:
    return Sample(found, labels, deal(labels, groups), _first_of_each(labels, counts))


def _first_of_each(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The images of the whole set, as many of each class as the reference has: bool[n]."""
    rank = np.empty(len(labels), int)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        rank[of_class] = np.arange(len(of_class))
    return rank < counts[labels]


def compare_row(
    comparison: Comparison, row: int, names: list[str], seeds: list[int]
) -> dict[str, Any]:
    """Kernel distances minus floor of all contestants in a row; ours against the best other."""

    def above_floor(values: Any, name: str, of_seeds: list[int] = seeds) -> float:
        distances = [values[f"{name}-{seed}"][row] for seed in of_seeds]
        return float(np.mean(distances) - values[FLOOR][row])

    excess = {name: above_floor(comparison.values, name) for name in names}
    others = [name for name in names if name != OURS]
    better = min(others, key=lambda name: excess[name])
    ours, theirs = (functools.partial(above_floor, name=name) for name in (OURS, better))

    def difference(name: str) -> list[float | None]:
        return _plain(comparison.interval(lambda v: ours(v) - above_floor(v, name)))

    def ratio_of(seed: int) -> float:
        below = theirs(comparison.values, of_seeds=[seed])
        return ours(comparison.values, of_seeds=[seed]) / below if below > 0 else float("nan")

    return {
        "floor": float(comparison.values[FLOOR][row]),
        "above_floor": excess,
        "better": better,
        "differences": {name: difference(name) for name in others},
        "ratio": _plain(comparison.ratio(ours, theirs)),
        "ratio_of_seeds": [_number(ratio_of(seed)) for seed in seeds],
    }


def _plain(interval: Interval) -> list[float | None]:
    return [_number(value) for value in interval]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _coverages(
    extractor: Extractor,
    cache: Cache,
    train: LabelledImages,
    marks: list[Mark],
    found: dict[str, np.ndarray],
) -> dict[str, Any]:
    """Coverage of each class's training images, mean over seeds, as many synthetic ones."""
    real = features(extractor, train.images, cache)
    rng = np.random.default_rng(FLOOR_SEED)
    results = {}
    for label, name in enumerate(train.class_names):
        of_class = np.flatnonzero(train.labels == label)
        chosen = rng.permutation(of_class)[:MOST_FOR_COVERAGE]
        covered: dict[str, list[float]] = {}
        for mark in marks:
            fake = found[mark.name][mark.labels == label][: len(chosen)]
            if len(chosen) > NEIGHBOURS and len(fake) == len(chosen):
                share = coverage(real[chosen], fake, k=NEIGHBOURS)
                covered.setdefault(mark.contestant, []).append(share)
        shares = {who: float(np.mean(values)) for who, values in covered.items()}
        results[name] = {"n": len(chosen), **shares}
    return results


def nearness(
    cache: Cache, reference: Reference, marks: dict[float, list[Mark]]
) -> list[dict[str, Any]]:
    """Distances to training images for report.json, of held-out images and of each mark.

    Each entry has `copies.Nearness` of the whole set and the medians of the classes.
    """
    train, test = reference.train, reference.test
    gallery, known = NearestImages(train.images), content_hash(train.images)

    def neighbours(images: np.ndarray) -> dict[str, np.ndarray]:
        def search() -> dict[str, np.ndarray]:
            return dict(zip(("target", "distance"), nearest(images, gallery), strict=True))

        return cache.arrays("nearest", (known, content_hash(images)), search)

    def figures(who: str, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
        found, rows = neighbours(images), _first_of_each(labels, test.class_counts)
        whole = copies.compare(found["distance"][rows], held_out, found["target"][rows])
        medians = {
            name: float(np.median(found["distance"][labels == label]))
            for label, name in enumerate(test.class_names)
        }
        return {"who": who, **dataclasses.asdict(whole), "medians": medians}

    held_out = neighbours(test.images)["distance"]
    return [
        figures("held-out images", test.images, test.labels),
        *(
            figures(f"{minutes:g}, {mark.name}", mark.images, mark.labels)
            for minutes in sorted(marks)
            for mark in marks[minutes]
        ),
    ]
