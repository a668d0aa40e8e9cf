"""Train a GAN from Python, without the command line: data set, `fit`, new images.

Shows `tfrecords_tools.build`, `skin_synth.ConditionalGAN` with Keras' own `compile` and `fit`, and
images by class and seed. Takes about three minutes on two cores:

    .venv/bin/python examples/train_from_python.py --out runs/from_python
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

import skin_synth
import tfrecords_tools
from skin_synth import phantoms
from skin_synth.data import batches, load_split
from skin_synth.image_grid import image_grid


def build_data(out: Path, size: int) -> Path:
    """Renders a small image folder with a CSV, and builds a data set from it."""
    phantoms.write_folder(out / "phantoms", counts=100, size=size)
    tfrecords_tools.build(
        out / "phantoms" / "images",
        out / "data",
        name="phantoms",
        labels=out / "phantoms" / "labels.csv",
        id_column="image_id",
        label_column="label",
        group_column="group",
        size=size,
    )
    return out / "data"


def main() -> None:
    """Builds the data, trains, and writes a grid of new images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="new directory")
    parser.add_argument("--preset", default="derm-32", help="default: %(default)s")
    parser.add_argument("--images", type=int, default=10_000, help="default: %(default)s")
    options = parser.parse_args()

    # The learning rate falls over the schedule: give it the length that you train for.
    preset = skin_synth.get_preset(options.preset)
    preset = dataclasses.replace(preset, schedule_images=options.images)
    train = load_split(build_data(options.out, preset.image_size), "train")

    gan = skin_synth.ConditionalGAN(preset, train.class_names, seed=0)
    gan.compile()
    gan.fit(
        batches(train, batch_size=preset.batch_size, seed=0, exponent=preset.sampling_exponent),
        steps_per_epoch=max(1, options.images // preset.batch_size),
        verbose=2,
        shuffle=False,  # the batches are drawn at random already
    )

    # Seeds in columns, classes in rows: a column is one latent under all classes.
    classes, seeds = len(train.class_names), 10
    images = gan.generate(np.repeat(np.arange(classes), seeds), np.tile(np.arange(seeds), classes))
    grid = images.reshape(classes, seeds, *images.shape[1:])
    image_grid(grid, train.class_names, options.out / "grid.png")
    print(f"{options.out / 'grid.png'}: {classes} classes in rows")


if __name__ == "__main__":
    main()
