"""Fidelity and variety by truncation, the factor of the latent: prints a table.

Generates as many images of each class as the test split has, from the same seeds at every
truncation, and compares MobileNet features with those of the test split. The last row is for other
real images. A row takes about 40 CPU seconds for the 1,500 test images of HAM10000 at 64x64.

    python -m benchmarks.truncation --run runs/ham/run --data runs/ham/data \
        --weights mobilenet_v1_0.75_224.weights.h5
"""

from __future__ import annotations

import argparse

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.features.extractors import mobilenet
from skin_synth.evaluation.image_sets import choose_real_baseline
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from skin_synth.evaluation.metrics.manifold import compare
from skin_synth.training.checkpoints import CHECKPOINT_CHOICES, LAST
from skin_synth.training.runs import load_run

TRUNCATIONS = (1.0, 0.9, 0.8, 0.7, 0.5)


def main() -> None:
    """Prints a row for each truncation, then one for real images."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--run", required=True)
    parser.add_argument("--data", required=True, help="the data set of the run")
    parser.add_argument("--weights", required=True, help="MobileNet 0.75/224 weights file")
    parser.add_argument("--checkpoint", choices=CHECKPOINT_CHOICES, default=LAST)
    parser.add_argument("--truncations", type=float, nargs="+", default=TRUNCATIONS)
    parser.add_argument("--images", type=int, help="a random part of the test split; default: all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    run, extractor = load_run(options.run, options.checkpoint), mobilenet(options.weights)
    rng = np.random.default_rng(options.seed)
    test = part(load_split(options.data, "test"), options.images, rng)
    train, held_out = (load_split(options.data, split) for split in ("train", "validation"))
    floor, _ = choose_real_baseline(train, held_out, test, rng)
    seeds = rng.integers(0, 2**62, len(test))
    real = extractor(test.images)
    print(f"{run.origin.images_seen:,} images seen, N = {len(test):,}, seed {options.seed}")
    print("| truncation | precision | recall | density | coverage | KID | mean KID of classes |")
    print("|---|---|---|---|---|---|---|")
    for truncation in options.truncations:
        images = run.generate(test.labels, seeds, truncation=truncation)
        print_row(f"{truncation:g}", real, test.labels, extractor(images), test.labels)
    print_row("real images", real, test.labels, extractor(floor.images), floor.labels)


def part(split: LabelledImages, count: int | None, rng: np.random.Generator) -> LabelledImages:
    """`count` random images of a split, in order; None: all of them."""
    if count is None or count >= len(split):
        return split
    return split.subset(np.sort(rng.permutation(len(split))[:count]))


def print_row(
    name: str, real: np.ndarray, real_labels: np.ndarray, other: np.ndarray, labels: np.ndarray
) -> None:
    """Prints a row from features and labels of the test images and of the others."""
    found = compare(real, other)
    pairs = [(real[real_labels == label], other[labels == label]) for label in np.unique(labels)]
    # A class with one image has no unbiased distance.
    classes = [kernel_distance(x, y) for x, y in pairs if min(len(x), len(y)) > 1]
    print(
        f"| {name} | {found.precision:.3f} | {found.recall:.3f} | {found.density:.3f} "
        f"| {found.coverage:.3f} | {kernel_distance(real, other):.4f} | {np.mean(classes):.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
