"""Does augmentation leak? The share of generated images that a classifier calls augmented.

A classifier learns to distinguish unchanged from augmented training images. It then classifies
generated images, and held-out real ones for comparison. Takes about two minutes on two cores.

    python -m benchmarks.augmentation_leak --run runs/ham64 --data runs/data/ham64
"""

from __future__ import annotations

import argparse
import dataclasses
import math

import numpy as np
import tensorflow as tf

from skin_synth import augment, load_run
from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.features.classifier import train_classifier

PLAIN, AUGMENTED = "plain", "augmented"
LEVELS = 127.5


def main() -> None:
    """Trains the classifier and prints three shares."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--run", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--probability", type=float, default=1.0, help="of each augmentation")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    train, held_out = (load_split(options.data, split) for split in ("train", "validation"))
    run = load_run(options.run)
    judge = train_classifier(
        with_augmented(train, options.probability, options.seed), seed=options.seed
    )
    generated = run.generate(held_out.labels, np.arange(len(held_out)))
    changed = augmented(held_out.images, options.probability, options.seed + 1)
    print("share taken for augmented")
    for name, images in (
        ("held-out real", held_out.images),
        ("held-out real, augmented", changed),
        ("generated", generated),
    ):
        share = float((judge.predict(images).argmax(axis=1) == 1).mean())
        error = math.sqrt(share * (1 - share) / len(images))
        print(f"{name:26s} {share:6.1%} +- {1.96 * error:.1%}   ({len(images):,} images)")


def with_augmented(split: LabelledImages, probability: float, seed: int) -> LabelledImages:
    """Each image twice: unchanged and augmented."""
    return dataclasses.replace(
        split,
        images=np.concatenate([split.images, augmented(split.images, probability, seed)]),
        labels=np.repeat([0, 1], len(split)),
        image_ids=split.image_ids * 2,
        groups=split.groups * 2,
        class_names=(PLAIN, AUGMENTED),
    )


def augmented(images: np.ndarray, probability: float, seed: int) -> np.ndarray:
    """The images as the discriminator sees them: uint8[n, side, side, 3] to the same."""
    key = tf.constant([seed, 0], tf.int64)
    parameters = augment.draw(key, len(images), tf.constant(probability))
    changed = augment.apply(tf.cast(images, tf.float32) / LEVELS - 1.0, parameters)
    pixels = tf.clip_by_value(tf.round((changed + 1.0) * LEVELS), 0.0, 255.0)
    return tf.cast(pixels, tf.uint8).numpy()


if __name__ == "__main__":
    main()
