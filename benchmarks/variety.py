"""How varied are the images of each class, after a short training on phantoms?

Trains a preset on the phantoms of the demo. Then counts how much of fresh phantoms of each class
the synthetic images cover: the share of phantoms with a synthetic image nearer than their fifth
neighbour (Naeem et al. 2020, eq. 4), in the features of a classifier of the seven classes. Fresh
phantoms and synthetic images are as many for all classes, so the figure does not depend on the
size of a class. "Other phantoms" is the same figure for a second set of phantoms: the ceiling.

    python -m benchmarks.variety --images 48000 --set mapping_layers=0
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import LabelledImages, batches
from skin_synth.demo import DEMO_OVERRIDES, DEMO_PRESET, PHANTOM_COUNTS
from skin_synth.evaluation.features.classifier import Classifier, train_classifier
from skin_synth.evaluation.metrics.manifold import coverage
from skin_synth.models.gan import ConditionalGAN
from skin_synth.phantoms import CLASS_NAMES, render
from skin_synth.presets import get_preset, override

PER_CLASS = 300
CLASSIFIER_PER_CLASS = 700
CLASSIFIER_STEPS = 1_500
TRAINING_SHARE = 0.7
TRAINING_SEED, TEST_SEED, OTHER_SEED, CLASSIFIER_SEED = range(4)
"""Of the phantoms of each purpose."""


def main() -> None:
    """Trains and prints a row for half of the images and for all."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--preset", default=DEMO_PRESET)
    parser.add_argument("--images", type=int, default=48_000)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--counts", type=int, nargs=len(CLASS_NAMES), default=PHANTOM_COUNTS)
    parser.add_argument("--policy")
    options = parser.parse_args()
    overrides = [*DEMO_OVERRIDES, f"schedule_images={options.images}", *options.overrides]
    preset = override(get_preset(options.preset), overrides)
    side = preset.image_size
    training = phantoms([round(TRAINING_SHARE * n) for n in options.counts], side, TRAINING_SEED)
    fresh = phantoms([PER_CLASS] * len(CLASS_NAMES), side, TEST_SEED)
    other = phantoms([PER_CLASS] * len(CLASS_NAMES), side, OTHER_SEED)
    known = phantoms([CLASSIFIER_PER_CLASS] * len(CLASS_NAMES), side, CLASSIFIER_SEED)
    classifier = train_classifier(known, steps=CLASSIFIER_STEPS)
    print(f"| images | CPU seconds | {' | '.join(CLASS_NAMES)} | mean | assigned |")
    print("|---|" + "---|" * (len(CLASS_NAMES) + 3))
    print(row("other phantoms", "", classifier, fresh, other.images))
    gan = ConditionalGAN(preset, CLASS_NAMES, seed=options.seed, policy=options.policy)
    gan.compile()
    step = tf.function(gan.train_step, jit_compile=False)
    drawn = batches(
        training,
        batch_size=preset.batch_size,
        seed=options.seed,
        exponent=preset.sampling_exponent,
    )
    steps = options.images // preset.batch_size
    seconds = 0.0
    for number, batch in enumerate(drawn.take(steps), start=1):
        start = time.process_time()
        step(batch)
        seconds += time.process_time() - start
        if number in (steps // 2, steps):
            images = gan.generate(fresh.labels, np.arange(len(fresh)) % PER_CLASS)
            seen = number * preset.batch_size
            print(row(f"{seen:,}", f"{seconds:.0f}", classifier, fresh, images), flush=True)


def phantoms(counts: list[int], side: int, seed: int) -> LabelledImages:
    """Renders so many phantoms of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    pairs = enumerate(labels.tolist())
    images = np.stack([render(seed, index, CLASS_NAMES[n], side)[0] for index, n in pairs])
    names = tuple(str(index) for index in range(len(labels)))
    return LabelledImages(images, labels, names, names, CLASS_NAMES)


def row(
    name: str, seconds: str, classifier: Classifier, fresh: LabelledImages, images: np.ndarray
) -> str:
    """Returns coverage of each class, its mean, and the share of images assigned to their class."""
    real, fake = classifier.features(fresh.images), classifier.features(images)
    covered = [
        coverage(real[fresh.labels == label], fake[fresh.labels == label])
        for label in range(len(CLASS_NAMES))
    ]
    assigned = np.mean(classifier.predict(images).argmax(axis=1) == fresh.labels)
    cells = [f"{share:.2f}" for share in (*covered, np.mean(covered), assigned)]
    return f"| {name} | {seconds} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
