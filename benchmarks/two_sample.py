"""Does a network that was trained for it distinguish synthetic from real images?

A classifier two-sample test (Lopez-Paz and Oquab 2017): a small CNN learns to distinguish the
real training images from as many synthetic ones of the same classes, and is judged on the test
split and new synthetic images. AUROC 0.5 is chance. The interval is a bootstrap over lesions. It
takes about two CPU minutes for 600 steps at 64x64.

    python -m benchmarks.two_sample --pretrained derm-64-ham10000 --data runs/ham/data
"""

from __future__ import annotations

import argparse

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_real_split
from skin_synth.evaluation.features.classifier import Classifier, train_classifier
from skin_synth.evaluation.utility.metrics import auroc
from skin_synth.generator import ImageGenerator
from skin_synth.pretrained import load_pretrained

REPLICATES = 1_000
ORIGINS = ("real", "synthetic")
JUDGED_TOGETHER = 256


def main() -> None:
    """Prints a row for each number of steps."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pretrained", required=True, help="name or directory of an export")
    parser.add_argument("--data", required=True, help="the data set it was trained on")
    parser.add_argument("--steps", type=int, nargs="+", default=[200, 600])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    generator = load_pretrained(options.pretrained)
    train, test = (load_real_split(options.data, split) for split in ("train", "test"))
    rng = np.random.default_rng(options.seed)
    known = with_synthetic(train, generator, rng)
    print(f"N = {len(test):,} real and as many synthetic images, seed {options.seed}")
    print("| steps | accuracy | AUROC | 95 % interval |")
    print("|---|---|---|---|")
    for steps in options.steps:
        classifier = train_classifier(known, seed=options.seed, steps=steps, fused=True)
        judged = with_synthetic(test, generator, rng)
        scores = evidence(classifier, judged.images)
        right = np.mean((scores > 0) == judged.labels)
        area = auroc(judged.labels > 0, scores)
        low, high = interval(scores, test.groups, rng)
        print(f"| {steps} | {right:.3f} | {area:.3f} | {low:.3f} to {high:.3f} |", flush=True)


def with_synthetic(
    real: LabelledImages, generator: ImageGenerator, rng: np.random.Generator
) -> LabelledImages:
    """Returns real images, then as many new synthetic ones of their classes, by their origin."""
    seeds = rng.integers(0, 2**62, len(real))
    images = np.concatenate([real.images, generator.generate(real.labels, seeds)])
    names = tuple(str(row) for row in range(len(images)))
    return LabelledImages(images, np.repeat([0, 1], len(real)), names, names, ORIGINS)


def evidence(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """Returns by how much each image looks synthetic: the difference of its logits, float[n]."""
    starts = range(0, len(images), JUDGED_TOGETHER)
    parts = [
        classifier.network(images[start : start + JUDGED_TOGETHER], training=False)[0]
        for start in starts
    ]
    logits = np.concatenate(parts)
    return logits[:, 1] - logits[:, 0]


def interval(
    scores: np.ndarray, groups: tuple[str, ...], rng: np.random.Generator
) -> tuple[float, float]:
    """Returns the 95 % interval of the AUROC over the lesions and the synthetic images.

    The first scores, one for each name in `groups`, are those of the real images.
    """
    lesions, lesion_of = np.unique(groups, return_inverse=True)
    synthetic = len(scores) - len(groups)
    weights = [drawn(len(lesions), rng)[:, lesion_of], drawn(synthetic, rng)]
    found = auroc(np.arange(len(scores)) >= len(groups), scores, np.concatenate(weights, axis=1))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def drawn(count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns how often each of `count` is drawn with replacement: int[REPLICATES, count]."""
    return rng.multinomial(count, np.full(count, 1 / count), size=REPLICATES)


if __name__ == "__main__":
    main()
