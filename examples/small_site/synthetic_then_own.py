"""Trains a Keras classifier first on synthetic images, then on your own few images.

Takes about ten minutes on two CPU cores for 300 images of 64x64. First run `skin-synth advise`: it
measures whether this helps on your images.

    python examples/small_site/synthetic_then_own.py runs/own/data derm-64-ham10000 classifier.keras
"""

from __future__ import annotations

import sys

import keras

import skin_synth
from skin_synth.data import batches, load_split


def main(data: str, name: str, out: str, steps: int = 600) -> None:
    train, test = load_split(data, "train"), load_split(data, "test")
    generator = skin_synth.load_pretrained(name)
    if generator.class_names != train.class_names:
        sys.exit(f"your classes must be {generator.class_names}, got {train.class_names}")

    keras.utils.set_random_seed(0)
    layers: list[keras.Layer] = [
        keras.layers.Rescaling(1 / 127.5, offset=-1.0),
        keras.layers.RandomFlip(),
        keras.layers.RandomRotation(0.5, fill_mode="reflect"),
        keras.layers.RandomZoom(0.2, fill_mode="reflect"),
        keras.layers.RandomContrast(0.2, value_range=(-1, 1)),
    ]
    for channels in (32, 64, 128, 128):
        layers += [
            keras.layers.Conv2D(channels, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(len(train.class_names))]
    model = keras.Sequential([*layers, keras.layers.Softmax()])
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.AdamW(rate, 0.05), "sparse_categorical_crossentropy")

    first = 3 * steps // 4
    synthetic = generator.dataset(64)  # endless, all classes equally often
    model.fit(synthetic, steps_per_epoch=first, shuffle=False, verbose=2)
    own = batches(train, batch_size=64, seed=0, exponent=1.0)  # endless, classes as they are
    model.fit(own, steps_per_epoch=steps - first, shuffle=False, verbose=2)

    loss = model.evaluate(test.images, test.labels, verbose=0)
    model.save(out)
    print(f"{out}: loss {loss:.3f} on {len(test)} held-out real images")


if __name__ == "__main__":
    data, name, out, *steps = sys.argv[1:]
    main(data, name, out, *map(int, steps))
