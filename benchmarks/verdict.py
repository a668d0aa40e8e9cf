"""How often the verdict accuses a faultless generator, and how often it finds planted faults.

Phantoms of three classes, 60 images of each in every split, one trained extractor and judge for
all seeds. A verdict takes about a second of CPU time; there are eight for each seed.

    python benchmarks/verdict.py --seeds 20
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from skin_synth.data import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.classifier import train_classifier
from skin_synth.evaluation.examination import Examination
from skin_synth.evaluation.features import of_classifier
from skin_synth.evaluation.material import Material
from skin_synth.evaluation.verdict import judge_all
from skin_synth.phantoms import render
from tfrecords_tools.progress import track

MODES: Mapping[str, tuple[str, ...]] = {
    "mole": ("disc", "cluster"),
    "blotch": ("blotch",),
    "ring": ("ring",),
}
COUNT, SIZE = 60, 32
LABELS = np.repeat(np.arange(len(MODES)), COUNT)


def main() -> None:
    """Prints, for each kind of generator, how often which faults are named."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    train, test, floor = (collection(seed) for seed in (1, 2, 3))
    extractor = of_classifier(train_classifier(train, seed=0, steps=60))
    judge = train_classifier(train, seed=1, steps=60)
    named: dict[str, dict[str, int]] = {name: {} for name in GENERATORS}
    accused = dict.fromkeys(GENERATORS, 0)
    for seed in track(
        range(options.seeds), total=options.seeds, unit="seeds", description="verdict"
    ):
        for name, paint in GENERATORS.items():
            material = Material(train, test, floor, len(floor), paint(train, seed), LABELS)
            exam = Examination(material, extractor, judge, [], Cache(None), seed)
            found = judge_all(
                {
                    "data": {"class_names": list(MODES)},
                    "images": {"groups_in_train_and_test": 0},
                    **exam.tests(),
                    "faithfulness": exam.faithfulness(),
                    "copies": exam.copies(),
                }
            )
            accused[name] += bool(found["faults"])
            for fault in {fault["fault"] for fault in found["faults"]}:
                named[name][fault] = named[name].get(fault, 0) + 1
    for name, faults in named.items():
        said = ", ".join(f"{fault} {count}" for fault, count in sorted(faults.items()))
        print(f"{name:24s} accused {accused[name]} of {options.seeds}: {said or 'no fault'}")


def fresh(seed: int, modes: Mapping[str, tuple[str, ...]] = MODES) -> np.ndarray:
    """New phantoms of all classes, mode by mode in turn."""
    choices = [tuple(modes.values())[label] for label in LABELS]
    return np.stack(
        [
            render(seed, row, choice[row % len(choice)], SIZE)[0]
            for row, choice in enumerate(choices)
        ]
    )


def collection(seed: int) -> LabelledImages:
    """One split of real images."""
    ids = tuple(f"{seed}/{row}" for row in range(len(LABELS)))
    return LabelledImages(fresh(seed), LABELS, ids, ids, tuple(MODES))


def blurred(images: np.ndarray) -> np.ndarray:
    """Each pixel and its right, lower and opposite neighbours, averaged."""
    shifts = ((0, 0), (0, 1), (1, 0), (1, 1))
    return np.mean([np.roll(images, shift, (1, 2)) for shift in shifts], axis=0).astype(np.uint8)


def noisy(images: np.ndarray, seed: int) -> np.ndarray:
    """With noise of twelve grey levels."""
    noise = np.random.default_rng(seed).normal(0, 12, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


Paint = Callable[[LabelledImages, int], np.ndarray]
GENERATORS: Mapping[str, Paint] = {
    "faultless": lambda train, seed: fresh(1000 + seed),
    "copies, turned": lambda train, seed: np.rot90(train.images, 1 + seed % 3, (1, 2)).copy(),
    "copies, brighter": lambda train, seed: np.clip(train.images + np.int64(6), 0, 255).astype(
        np.uint8
    ),
    "a class missing": lambda train, seed: fresh(2000 + seed, {**MODES, "ring": ("blotch",)}),
    "labels swapped": lambda train, seed: fresh(
        3000 + seed, {**MODES, "ring": ("blotch",), "blotch": ("ring",)}
    ),
    "half the modes": lambda train, seed: fresh(4000 + seed, {**MODES, "mole": ("disc",)}),
    "blur": lambda train, seed: blurred(fresh(5000 + seed)),
    "noise": lambda train, seed: noisy(fresh(6000 + seed), seed),
}


if __name__ == "__main__":
    main()
