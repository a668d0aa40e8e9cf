"""What a choice of a preset is worth: KID and coverage after the same CPU time, on real images.

Trains each variant from scratch for the same CPU minutes of this process (the wall clock lies
where other work runs beside it) and compares the averaged generator with the test split. Takes
`--minutes` a variant and half a minute for each judgement.

    python benchmarks/choices.py --data runs/data/ham32 --preset derm-32 \
        --weights mobilenet_v1_0.75_224.weights.h5 --variant beta_1=0.5 --variant gamma=1.0
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from skin_synth.data import LabelledImages, batches, load_split
from skin_synth.evaluation.features import Extractor, mobilenet
from skin_synth.evaluation.fidelity import kernel_distance
from skin_synth.evaluation.manifold import coverage
from skin_synth.gan import ConditionalGAN
from skin_synth.presets import Preset, Ramp, get_preset


class StopAfterCPU(keras.callbacks.Callback):
    """Ends `fit` after so many seconds of this process's CPU time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.end = time.process_time() + seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Asks Keras to stop."""
        self.model.stop_training = time.process_time() >= self.end


def main() -> None:
    """Trains and judges the preset itself, then each variant."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", required=True)
    parser.add_argument("--preset", default="derm-32")
    parser.add_argument("--weights", required=True, help="MobileNet 0.75/224 weights file")
    parser.add_argument("--minutes", type=float, default=6.0, help="CPU minutes a variant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", action="append", default=[], help="FIELD=VALUE[,FIELD=VALUE]")
    options = parser.parse_args()

    extractor = mobilenet(options.weights)
    train, test = load_split(options.data, "train"), load_split(options.data, "test")
    real = extractor(test.images)
    print("variant                        images     KID   mean over classes   coverage")
    for variant in ["", *options.variant]:
        preset = changed(get_preset(options.preset), variant)
        gan = trained(preset, train, minutes=options.minutes, seed=options.seed)
        whole, mean, covered = judged(gan, extractor, real, test.labels)
        name = variant or preset.name
        print(
            f"{name:28s} {gan.images_seen:8,d}  {whole:.3f}   {mean:.3f}              {covered:.2f}"
        )


def changed(preset: Preset, variant: str) -> Preset:
    """The preset with the fields that FIELD=VALUE,... names; a number for a ramp is constant."""
    fields: dict[str, Any] = {}
    for part in filter(None, variant.split(",")):
        field, _, text = part.partition("=")
        value: Any = ast.literal_eval(text) if text[:1] in "0123456789-TF" else text
        fields[field] = Ramp(value, value) if isinstance(getattr(preset, field), Ramp) else value
    return dataclasses.replace(preset, **fields)


def trained(preset: Preset, split: LabelledImages, *, minutes: float, seed: int) -> ConditionalGAN:
    """A GAN after so many CPU minutes."""
    gan = ConditionalGAN(preset, split.class_names, seed=seed)
    gan.compile()
    source = batches(
        split, batch_size=preset.batch_size, seed=seed, exponent=preset.sampling_exponent
    )
    gan.fit(
        source,
        steps_per_epoch=10**6,
        verbose=0,
        shuffle=False,
        callbacks=[StopAfterCPU(60 * minutes)],
    )
    return gan


def judged(
    gan: ConditionalGAN, extractor: Extractor, real: np.ndarray, labels: np.ndarray
) -> tuple[float, float, float]:
    """KID of the whole set, its mean over classes, and coverage; as many images on both sides."""
    fake = extractor(gan.generate(labels, np.arange(len(labels))))
    classes = [
        kernel_distance(real[labels == label], fake[labels == label]) for label in np.unique(labels)
    ]
    return kernel_distance(real, fake), float(np.mean(classes)), coverage(real, fake)


if __name__ == "__main__":
    main()
