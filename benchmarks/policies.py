"""Losses of the same training under each dtype policy: do the precisions agree?

Trains a preset at a quarter of its width on phantoms for 300 steps under each policy, with the same
batches, latents and augmentation, for several seeds. Prints the mean losses of the last 100 steps
and their difference to float32. Takes about five minutes on two cores.

    python -m benchmarks.policies
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import LabelledImages, batches
from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.hardware import POLICIES
from skin_synth.phantoms import CLASS_NAMES, plan, render
from skin_synth.presets import Preset, get_preset

LOSSES = ("discriminator_loss", "generator_loss")
LAST = 100


def main() -> None:
    """Trains and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--preset", default="derm-32")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=POLICIES)
    options = parser.parse_args()
    preset = narrow(get_preset(options.preset))
    split = phantoms(preset.image_size)
    print("| policy | seed | discriminator | generator | skipped steps | finite |")
    print("|---|---|---|---|---|---|")
    for seed in range(options.seeds):
        base = None
        for policy in options.policies:
            curve, skipped = trained(preset, split, policy, seed=seed, steps=options.steps)
            means = curve[-LAST:].mean(axis=0)
            base = means if base is None else base
            cells = [
                f"{m:.3f} ({100 * (m / b - 1):+.1f} %)" for m, b in zip(means, base, strict=True)
            ]
            print(
                f"| {policy} | {seed} | {' | '.join(cells)} | {skipped} "
                f"| {np.isfinite(curve).all()} |",
                flush=True,
            )


def narrow(preset: Preset) -> Preset:
    """The preset with a quarter of its channels."""
    return dataclasses.replace(
        preset,
        name=f"{preset.name}-narrow",
        generator_widths=tuple(width // 4 for width in preset.generator_widths),
        discriminator_widths=tuple(width // 4 for width in preset.discriminator_widths),
    )


def trained(
    preset: Preset, split: LabelledImages, policy: str, *, seed: int, steps: int
) -> tuple[np.ndarray, int]:
    """Losses of each step, float64[steps, 2], and steps that loss scaling skipped."""
    gan = ConditionalGAN(preset, split.class_names, seed=seed, policy=policy)
    gan.compile()
    step = tf.function(gan.train_step, jit_compile=False)
    source = batches(
        split, batch_size=preset.batch_size, seed=seed, exponent=preset.sampling_exponent
    )
    curve = np.empty((steps, len(LOSSES)))
    for number, batch in enumerate(source.take(steps)):
        gan.reset_metrics()
        logs = step(batch)
        curve[number] = [float(logs[name]) for name in LOSSES]
    applied = int(gan.discriminator_optimizer.iterations.numpy())
    return curve, steps - applied


def phantoms(side: int, per_class: int = 60) -> LabelledImages:
    """`per_class` phantoms of each class."""
    made = plan(per_class, seed=0)
    images = np.stack([render(0, p.index, p.label, side, view=p.view)[0] for p in made])
    labels = np.array([CLASS_NAMES.index(p.label) for p in made])
    groups = tuple(p.group for p in made)
    return LabelledImages(images, labels, groups, groups, tuple(CLASS_NAMES))


if __name__ == "__main__":
    main()
