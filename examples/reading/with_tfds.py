"""Reads a data set directory with TensorFlow Datasets alone, and counts its classes.

Takes about ten seconds, most of them for imports.

    python examples/reading/with_tfds.py runs/ham/data
"""

from __future__ import annotations

import sys
from collections import Counter

import tensorflow_datasets as tfds


def main(directory: str) -> None:
    builder = tfds.builder_from_directory(directory)
    names = builder.info.features["label"].names
    train = builder.as_dataset(split="train")
    counts = Counter(names[example["label"]] for example in tfds.as_numpy(train))
    for name in names:
        print(f"{name}: {counts[name]}")


if __name__ == "__main__":
    main(sys.argv[1])
