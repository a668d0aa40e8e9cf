"""Is the verdict of the utility study true? Three generators with a known truth, on phantoms.

Six of seven classes have only 20 training images, and all images carry strong noise, so that a gain
is possible. Fresh phantoms must show a gain; noise and copies of the training images must not. The
default is two classifiers, three ratios and five seeds: 210 trainings. The second line, 60 short
ones, took four minutes on two busy cores. With `--cache DIR` a killed run goes on where it was.

    python -m benchmarks.utility_truth --cache runs/utility_truth
    python -m benchmarks.utility_truth --size 16 --noise 60 --seeds 2 --steps 60 --ratios 4
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features import extractors
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility.differences import GAIN
from skin_synth.evaluation.utility.options import DEFAULT_RATIOS, DEFAULT_SEEDS, UtilityOptions
from skin_synth.evaluation.utility.results import UtilityResults
from skin_synth.evaluation.utility.study import study_splits
from skin_synth.phantoms import CLASS_NAMES, render

COMMON, RARE, HELD_OUT, TESTED = 200, 20, 20, 100
"""Training images of the first class and of each other one; of each in validation and test."""
TRAIN, VALIDATION, TEST, FRESH = range(1, 5)
"""Seeds of the collections: no lesion is in two."""


def main() -> int:
    """Runs the three studies and prints a table; 1 where a verdict is not the truth."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--noise", type=float, default=90.0, help="grey levels on all images")
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--ratios", default=",".join(str(ratio) for ratio in DEFAULT_RATIOS))
    parser.add_argument(
        "--features", choices=("none", "classifier", "mobilenet"), default="classifier"
    )
    parser.add_argument("--weights", default=None, help="weights file of mobilenet")
    parser.add_argument("--cache", default=None, help="directory that keeps what is done")
    options = parser.parse_args()

    train, validation, test = (
        split(counts, seed, options)
        for counts, seed in (
            ((COMMON, *[RARE] * 6), TRAIN),
            ((HELD_OUT,) * 7, VALIDATION),
            ((TESTED,) * 7, TEST),
        )
    )
    extractor = features(options, train)
    wrong = 0
    ratios = tuple(float(ratio) for ratio in options.ratios.split(","))
    for name, generate, gains in generators(train, options):
        start = time.perf_counter()
        found = study_splits(
            train,
            validation,
            test,
            generate,
            UtilityOptions(options.seeds, ratios, options.steps),
            generator_id=f"{name}, noise {options.noise:g}, size {options.size}",
            extractor=extractor,
            cache_dir=options.cache,
        )
        show(name, found, time.perf_counter() - start)
        wrong += (found.verdict.words == GAIN) != gains
    print("all verdicts are the truth" if not wrong else f"{wrong} verdicts are wrong")
    return min(wrong, 1)


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
) -> list[tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray], bool]]:
    """Name, generator, and whether its images help in truth."""

    def fresh(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        return phantoms(labels, seeds % 2**31, FRESH, options)

    def noise(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        shape = (len(labels), options.size, options.size, 3)
        return np.random.default_rng(seeds).integers(0, 256, shape, dtype=np.uint8)

    def copies(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        members = [np.flatnonzero(train.labels == label) for label in range(7)]
        rows = [
            members[label][seed % len(members[label])]
            for label, seed in zip(labels, seeds, strict=True)
        ]
        return train.images[rows]

    return [("fresh phantoms", fresh, True), ("noise", noise, False), ("copies", copies, False)]


def features(options: argparse.Namespace, train: LabelledImages) -> Extractor | None:
    """The frozen extractor of the second kind of classifier."""
    if options.features == "none":
        return None
    if options.features == "mobilenet":
        return extractors.mobilenet(options.weights)
    return extractors.of_classifier(train_classifier(train))


def show(name: str, found: UtilityResults, seconds: float) -> None:
    """Prints one study."""
    print(f"\n{name} ({seconds / 60:.1f} minutes)\n  {found.verdict.sentence}")
    print(f"  {'arm':36}{'classifier':28}{'macro AUROC':>12}{'sd':>8}{'balanced':>10}")
    for arm in found.arms:
        area, accuracy = arm.figures.macro_auroc, arm.figures.balanced_accuracy
        print(
            f"  {arm.arm:36}{arm.classifier:28}{area.mean:12.4f}{area.sd:8.4f}{accuracy.mean:10.3f}"
        )
    for entry in found.differences:
        difference = entry.metrics.macro_auroc
        print(
            f"  {entry.arm:36}{entry.classifier:28}{difference.difference:+12.4f}  "
            f"[{difference.corrected_low:+.4f}, {difference.corrected_high:+.4f}]  "
            f"{entry.verdict or 'for information'}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
