"""Is the verdict of the utility study true? Generators with a known truth, on phantoms.

Six of seven classes have only 20 training images, and all images carry strong noise, so that a gain
is possible. Fresh phantoms must show a gain; noise and copies of the training images must not. With
`--null N`, N more studies get copies under other seeds: a gain is shown in at most one of twenty.
A study has 73 trainings or fewer, with `small` by default. With `--cache DIR` a killed run
resumes.

    python -m benchmarks.utility_truth --cache runs/utility_truth
    python -m benchmarks.utility_truth --size 16 --noise 60 --seeds 2 --steps 60
    python -m benchmarks.utility_truth --null 40 --cache runs/utility_truth
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.differences import GAIN
from skin_synth.evaluation.utility.options import DEFAULT_SEEDS, UtilityOptions
from skin_synth.evaluation.utility.recipes import GenerateImages
from skin_synth.evaluation.utility.results import ArmFigures, UtilityResults
from skin_synth.evaluation.utility.study import study_splits
from skin_synth.phantoms import CLASS_NAMES, render

COMMON, RARE, HELD_OUT, TESTED = 200, 20, 20, 100
"""Training images of the first class and of each other class; validation and test images."""
TRAIN, VALIDATION, TEST, FRESH = range(1, 5)
"""Seeds of the collections, which share no lesion."""
COLLECTIONS = 10
"""A null study adds multiples of this to the seeds of its collections."""


def main() -> int:
    """Runs the studies and prints tables; returns 1 if a verdict is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--noise", type=float, default=90.0, help="grey levels on all images")
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--classifier", default="small")
    parser.add_argument("--null", type=int, default=0, help="studies of copies under other seeds")
    parser.add_argument("--cache", default=None, help="directory of finished trainings")
    options = parser.parse_args()
    wrong = sum(
        (study(name, made, splits(0, options), options).verdict.words == GAIN) != gains
        for name, made, gains in generators(splits(0, options)[0], options)
    )
    print("all verdicts are the truth" if not wrong else f"{wrong} verdicts are wrong")
    gains = 0
    for number in range(1, options.null + 1):
        of_null = splits(COLLECTIONS * number, options)
        found = study(f"copies {number}", copies_of(of_null[0]), of_null, options)
        gains += found.verdict.words == GAIN
    if options.null:
        print(f"{gains} of {options.null} null studies show a gain")
    return int(wrong > 0 or gains > options.null / 20)


def study(
    name: str,
    generate: GenerateImages,
    data: tuple[LabelledImages, LabelledImages, LabelledImages],
    options: argparse.Namespace,
) -> UtilityResults:
    """Runs and prints one study."""
    start = time.perf_counter()
    found = study_splits(
        *data,
        generate,
        UtilityOptions(options.seeds, (options.classifier,), steps=options.steps),
        generator_id=f"{name}, noise {options.noise:g}, size {options.size}",
        cache_dir=options.cache,
    )
    show(name, found, time.perf_counter() - start)
    return found


def splits(
    first: int, options: argparse.Namespace
) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """Training, validation and test images; the seeds of their collections begin at `first`."""
    counts = (COMMON, *[RARE] * 6), (HELD_OUT,) * 7, (TESTED,) * 7
    train, validation, test = (
        split(each, first + seed, options)
        for each, seed in zip(counts, (TRAIN, VALIDATION, TEST), strict=True)
    )
    return train, validation, test


def split(counts: tuple[int, ...], seed: int, options: argparse.Namespace) -> LabelledImages:
    """Phantoms, each of another lesion."""
    labels = np.repeat(np.arange(7), counts)
    groups = tuple(f"{seed}-{index}" for index in range(len(labels)))
    images = phantoms(labels, np.arange(len(labels)), seed, options)
    return LabelledImages(images, labels, groups, groups, CLASS_NAMES)


def phantoms(
    labels: np.ndarray, indices: np.ndarray, seed: int, options: argparse.Namespace
) -> np.ndarray:
    """Noisy phantoms of a collection: uint8[n, size, size, 3]."""
    images = np.empty((len(labels), options.size, options.size, 3), np.uint8)
    for row, (label, index) in enumerate(zip(labels, indices, strict=True)):
        clean, _ = render(seed, int(index), CLASS_NAMES[label], options.size)
        noise = np.random.default_rng([seed, index]).normal(0, options.noise, clean.shape)
        images[row] = np.clip(clean + noise, 0, 255)
    return images


def generators(
    train: LabelledImages, options: argparse.Namespace
) -> list[tuple[str, GenerateImages, bool]]:
    """Name, generator, and whether its images help in truth."""

    def fresh(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        return phantoms(labels, seeds % 2**31, FRESH, options)

    def noise(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        shape = (len(labels), options.size, options.size, 3)
        return np.random.default_rng(seeds).integers(0, 256, shape, dtype=np.uint8)

    return [
        ("fresh phantoms", fresh, True),
        ("noise", noise, False),
        ("copies", copies_of(train), False),
    ]


def copies_of(train: LabelledImages) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A generator that draws from the training images."""
    members = [np.flatnonzero(train.labels == label) for label in range(7)]

    def copies(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        rows = [
            members[label][seed % len(members[label])]
            for label, seed in zip(labels, seeds, strict=True)
        ]
        return train.images[rows]

    return copies


def show(name: str, found: UtilityResults, seconds: float) -> None:
    """Prints one study."""
    print(f"\n{name} ({seconds / 60:.1f} minutes)\n  {found.verdict.sentence}")
    result = found.classifiers[0]
    verdict = result.comparisons[0].verdict
    print(f"  {verdict.sentence(result.use, result.control)}")
    for warning in result.warnings:
        print(f"  note: {warning}")
    print(f"  {'arm':50}{'macro AUROC':>12}{'sd':>8}{'log loss':>10}{'balanced':>10}")
    for compared in result.comparisons[0].arms:
        show_arm(f"{compared.arm}, compared", compared.figures)
    for screened in result.screened:
        show_arm(screened.arm, screened.figures)
    sys.stdout.flush()


def show_arm(name: str, figures: ArmFigures) -> None:
    """Prints the figures of one arm."""
    area, spread = figures.macro_auroc.mean, figures.macro_auroc.sd or 0.0
    loss, accuracy = figures.log_loss.mean, figures.balanced_accuracy.mean
    print(f"  {name:50}{area:12.4f}{spread:8.4f}{loss:10.3f}{accuracy:10.3f}")


if __name__ == "__main__":
    sys.exit(main())
