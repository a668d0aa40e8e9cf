"""What a warm start saves: CPU time to a given KID, compared with fresh weights.

Two cases on phantoms of 32 pixels. The source run was trained on the same images at 16 pixels
(`resolution`), or on the first four of the seven classes (`classes`). Both sides get the same
batches and are trained in turns, a slice of CPU time each. Each slice ends with the KID of the
averaged generator against the test split, by features of a classifier of the training split.
A case takes `--source` + 2 x `--seconds` CPU seconds, by default about ten minutes for both.

    python -m benchmarks.warm_start --case resolution
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import tfrecords_tools
from skin_synth.data.pipeline import LabelledImages, batches, load_split
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import Extractor, of_classifier
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from skin_synth.models.gan import ConditionalGAN
from skin_synth.phantoms import write_folder
from skin_synth.presets import Preset, get_preset
from skin_synth.training.weight_inheritance import inherit

KNOWN_CLASSES = 4
LARGE = dataclasses.replace(
    get_preset("derm-32"),
    name="warm-32",
    generator_widths=(96, 64, 32, 16),
    discriminator_widths=(16, 32, 64),
    batch_size=16,
    schedule_images=100_000,
)
SMALL = dataclasses.replace(
    LARGE,
    name="warm-16",
    image_size=16,
    generator_widths=(96, 64, 32),
    discriminator_widths=(32, 64),
)


class StopAfterCPU(keras.callbacks.Callback):
    """Ends `fit` after some seconds of CPU time of this process, without tracing."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.end = float("inf")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Asks Keras to stop; the first batch starts the clock."""
        now = time.process_time()
        if self.end == float("inf"):
            self.end = now + self.seconds
        self.model.stop_training = now >= self.end


def main() -> None:
    """Measures the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--case", choices=("resolution", "classes"), action="append")
    parser.add_argument("--source", type=float, default=100.0, help="CPU seconds of the source")
    parser.add_argument("--seconds", type=float, default=100.0, help="CPU seconds of each side")
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--per_class", type=int, default=120, help="phantoms in each class")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        train, test = phantoms(Path(folder), options.per_class, options.seed)
    extractor = of_classifier(train_classifier(train, seed=options.seed + 100))
    judge = judge_of(extractor, test)
    half = len(train) // 2
    floor = kernel_distance(extractor(train.images[:half]), extractor(train.images[half:]))
    print(f"{len(train)} training images, {len(test)} test images; real halves: KID {floor:.3f}")
    for case in options.case or ("resolution", "classes"):
        compare(case, train, judge, options)


def phantoms(folder: Path, per_class: int, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """Training and test split of a new collection."""
    images = write_folder(folder / "images", counts=per_class, size=32, seed=seed)
    tfrecords_tools.build(
        images,
        folder / "data",
        name="phantoms",
        labels=images / "labels.csv",
        id_column="image_id",
        label_column="label",
        group_column="group",
        size=32,
    )
    return load_split(folder / "data", "train"), load_split(folder / "data", "test")


def judge_of(
    extractor: Extractor, test: LabelledImages
) -> Callable[[ConditionalGAN], tuple[float, float]]:
    """Gives KID of the whole set and the mean over its classes, of a GAN."""
    real = extractor(test.images)

    def judge(gan: ConditionalGAN) -> tuple[float, float]:
        fake = extractor(gan.generate(test.labels, np.arange(len(test))))
        by_class = [
            kernel_distance(real[test.labels == label], fake[test.labels == label])
            for label in range(len(test.class_names))
        ]
        return kernel_distance(real, fake), float(np.mean(by_class))

    return judge


def compare(
    case: str,
    train: LabelledImages,
    judge: Callable[[ConditionalGAN], tuple[float, float]],
    options: argparse.Namespace,
) -> None:
    """Trains the source, then both sides in turns, and prints their curves."""
    old = source_of(case, train, options)
    sides = {name: new_gan(LARGE, train.class_names, options.seed) for name in ("scratch", "warm")}
    inherit(sides["warm"], old)
    curves: dict[str, list[float]] = {name: [] for name in sides}
    print(f"\n{case}: source {options.source:.0f} CPU s, {old.images_seen:,} images")
    print("CPU s   side      images    KID   mean over classes")
    for number in range(options.slices + 1):
        for name, gan in sides.items():
            if number:
                fit(gan, train, options.seconds / options.slices)
            whole, mean = judge(gan)
            curves[name].append(whole)
            spent = number * options.seconds / options.slices
            print(f"{spent:5.0f}   {name:8} {gan.images_seen:7,}  {whole:5.2f}   {mean:5.2f}")
    goal = min(curves["scratch"])
    step = options.seconds / options.slices
    for name, curve in curves.items():
        reached = next((n * step for n, kid in enumerate(curve) if kid <= goal), None)
        after = "not reached" if reached is None else f"{reached:.0f} CPU s"
        print(f"KID {goal:.2f} from {name}: {after}")


def source_of(case: str, train: LabelledImages, options: argparse.Namespace) -> ConditionalGAN:
    """The trained run from which the warm run starts."""
    if case == "resolution":
        n, side = len(train), train.images.shape[1] // 2
        halved = train.images.reshape(n, side, 2, side, 2, 3).mean(axis=(2, 4)).round()
        preset, split = SMALL, dataclasses.replace(train, images=halved.astype(np.uint8))
    else:
        known = train.subset(train.labels < KNOWN_CLASSES)
        split = dataclasses.replace(known, class_names=train.class_names[:KNOWN_CLASSES])
        preset = LARGE
    gan = new_gan(preset, split.class_names, options.seed + 1)
    fit(gan, split, options.source)
    return gan


def new_gan(preset: Preset, class_names: tuple[str, ...], seed: int) -> ConditionalGAN:
    """A compiled GAN with fresh weights."""
    gan = ConditionalGAN(preset, class_names, seed=seed)
    gan.compile()
    return gan


def fit(gan: ConditionalGAN, split: LabelledImages, seconds: float) -> None:
    """Continues training for `seconds` of CPU time."""
    preset = gan.preset
    source = batches(
        split,
        batch_size=preset.batch_size,
        seed=gan.seed,
        exponent=preset.sampling_exponent,
        first_step=int(gan.steps.numpy()),
    )
    gan.fit(
        source,
        steps_per_epoch=10**6,
        verbose=0,
        shuffle=False,
        callbacks=[StopAfterCPU(seconds)],
    )


if __name__ == "__main__":
    main()
