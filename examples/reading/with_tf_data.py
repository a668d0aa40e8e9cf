"""Reads a data set directory with tf.data alone: batches that a Keras model takes.

Takes about ten seconds, most of them for imports.

    python examples/reading/with_tf_data.py runs/ham/data
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}


def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One record: image uint8[h, w, 3] and label."""
    example = tf.io.parse_single_example(serialized, FEATURES)
    image = tf.io.decode_image(example["image"], channels=3, expand_animations=False)
    return image, example["label"]


def main(directory: str) -> None:
    shards = sorted(str(path) for path in Path(directory).glob("*-train.tfrecord-*"))
    train = (
        tf.data.TFRecordDataset(shards, num_parallel_reads=tf.data.AUTOTUNE)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .shuffle(1000, seed=0)
        .batch(32, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )
    for images, labels in train.take(1):
        print(f"images {images.dtype.name}{images.shape}, labels {labels.numpy().tolist()}")


if __name__ == "__main__":
    main(sys.argv[1])
