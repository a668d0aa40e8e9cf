"""Trains small classifiers on real and synthetic images, one after another, in one traced loop.

There are two kinds: a CNN from scratch, and a linear head on features of a frozen extractor.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from skin_synth import augment
from skin_synth.evaluation.features import classifier
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility.arms import Arm
from skin_synth.random_streams import ClassifierStream

BATCH_SIZE = classifier.CNN_BATCH
CNN_LEARNING_RATE, LINEAR_LEARNING_RATE = classifier.CNN_LEARNING_RATE, 3e-3
"""Initial rates of Adam, the same for all arms; a cosine decreases them to 0."""
ROWS_AT_ONCE = 256
"""Rows of one forward pass. The random numbers of augmented views depend on it."""
AUGMENTATION = (
    "one of the 8 flips and quarter turns; brightness, contrast and saturation within "
    f"{augment.BRIGHTNESS:.0%}, {augment.CONTRAST:.0%} and {augment.SATURATION:.0%}, hue within "
    f"{augment.HUE} rad"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Everything that an arm may draw from.

    Attributes:
        inputs: uint8[n, side, side, 3] for the CNN, float32[n, views, d] for a linear head.
        labels: int64[n].
        synthetic: bool[n].
    """

    inputs: np.ndarray
    labels: np.ndarray
    synthetic: np.ndarray


def randomly_augmented(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Flips, turns and recolours images uint8[n, side, side, 3]; `key` is a seed, int64[2]."""
    count = tf.shape(images)[0]
    drawn = _uniform(key, ClassifierStream.SYMMETRY, [count])
    symmetry = tf.cast(augment.SYMMETRIES * drawn, tf.int32)
    shift, contrast, saturation, hue = tf.unstack(
        2.0 * _uniform(key, ClassifierStream.COLOUR, [4, count]) - 1.0
    )
    parameters = {
        "brightness": augment.BRIGHTNESS * shift,
        "contrast": 1.0 + augment.CONTRAST * contrast,
        "saturation": 1.0 + augment.SATURATION * saturation,
        "hue": augment.HUE * hue,
    }
    signal = tf.cast(augment.turn(images, symmetry), tf.float32) / 127.5 - 1.0
    coloured = augment.colour(signal, parameters)
    return tf.cast(tf.round(127.5 * (tf.clip_by_value(coloured, -1.0, 1.0) + 1.0)), tf.uint8)


def feature_views(extractor: Extractor, images: np.ndarray, *, views: int, seed: int) -> np.ndarray:
    """Computes features of each image and of augmented views of it.

    Args:
        extractor: frozen.
        images: uint8[n, side, side, 3].
        views: views of each image, 1 or more.
        seed: of flips, turns and colours.

    Returns:
        float32[n, views, d]; view 0 is the unchanged image.
    """
    features = [extractor(images)]
    for view in range(1, views):
        augmented = np.empty_like(images)
        for rows in _slices(len(images)):
            key = np.random.SeedSequence([seed, view, rows.start]).generate_state(2)
            augmented[rows] = randomly_augmented(images[rows], tf.constant(key, tf.int64)).numpy()
        features.append(extractor(augmented))
    return np.stack(features, axis=1)


class Trainer:
    """Trains networks of one shape. Each call starts from fresh weights and retraces nothing.

    Calls share their variables, so only one may run at a time.
    """

    def __init__(
        self,
        build: Callable[[int], keras.Model],
        make_batch: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
        *,
        learning_rate: float,
    ) -> None:
        """Builds the network once.

        Args:
            build: makes a network from a seed; its only output is logits float32[n, classes].
            make_batch: makes a batch of pool inputs, rows int64[batch], a key, whether to augment.
            learning_rate: initial rate of Adam.
        """
        self._build, self._make_batch, self._learning_rate = build, make_batch, learning_rate
        self._network = build(0)
        self._classes = self._network.output.shape[-1]
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(self._network.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._train = tf.function(self._loop, reduce_retracing=True)
        self._forward = tf.function(
            lambda inputs: tf.nn.softmax(self._network(inputs, training=False)),
            autograph=False,
            reduce_retracing=True,
        )

    def probabilities(
        self,
        pool: Pool,
        arm: Arm,
        class_counts: np.ndarray,
        *tests: np.ndarray,
        seed: int,
        steps: int,
    ) -> list[np.ndarray]:
        """Trains on what an arm draws, then predicts.

        The same arguments give the same figures on one machine with one number of threads.

        Args:
            pool: all images or features.
            arm: decides how the pool is drawn from.
            class_counts: int[classes], real training images.
            tests: inputs to predict for.
            seed: of weights and batches.
            steps: number of batches.

        Returns:
            float32[n, classes] for each of `tests`.
        """
        self._network.set_weights(self._build(seed).get_weights())
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        cell = pool.labels + self._classes * pool.synthetic
        sizes = np.bincount(cell, minlength=2 * self._classes)
        self._train(
            tf.constant(pool.inputs),
            tf.constant(np.argsort(cell, kind="stable")),
            tf.constant(np.cumsum(sizes) - sizes),
            tf.constant(sizes),
            tf.constant(_thresholds(arm.cells(class_counts).ravel())),
            tf.constant(arm.loss_weights(class_counts), tf.float32),
            tf.constant(arm.augmented),
            tf.constant(seed, tf.int64),
            tf.constant(steps, tf.int64),
        )
        return [
            np.concatenate([self._forward(inputs[rows]).numpy() for rows in _slices(len(inputs))])
            for inputs in tests
        ]

    def _loop(
        self,
        inputs: tf.Tensor,
        order: tf.Tensor,
        first: tf.Tensor,
        sizes: tf.Tensor,
        thresholds: tf.Tensor,
        loss_weights: tf.Tensor,
        augmented: tf.Tensor,
        seed: tf.Tensor,
        steps: tf.Tensor,
    ) -> None:
        for step in tf.range(steps):
            done = tf.cast(step, tf.float32) / tf.cast(steps, tf.float32)
            rate = self._learning_rate * (1.0 + tf.cos(np.pi * done)) / 2
            self._optimizer.learning_rate.assign(rate)
            key = tf.stack([seed, step])
            cell = tf.searchsorted(
                thresholds, _uniform(key, ClassifierStream.CELL, [BATCH_SIZE]), side="right"
            )
            size = tf.gather(sizes, cell)
            place = tf.cast(size, tf.float32) * _uniform(key, ClassifierStream.MEMBER, [BATCH_SIZE])
            member = tf.gather(first, cell) + tf.minimum(tf.cast(place, tf.int64), size - 1)
            batch = self._make_batch(inputs, tf.gather(order, member), key, augmented)
            labels = cell % self._classes
            with tf.GradientTape() as tape:
                logits = self._network(batch, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                loss = tf.reduce_mean(losses * tf.gather(loss_weights, labels))
            variables = self._network.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)


@functools.lru_cache(maxsize=2)
def cnn_trainer(side: int, classes: int) -> Trainer:
    """Makes the trainer of the CNN of `features.classifier`: images uint8[n, side, side, 3]."""

    def build(seed: int) -> keras.Model:
        network = classifier.small_cnn(side, classes, seed)
        return keras.Model(network.input, network.outputs[0])

    def make_batch(
        images: tf.Tensor, rows: tf.Tensor, key: tf.Tensor, augmented: tf.Tensor
    ) -> tf.Tensor:
        drawn = tf.gather(images, rows)
        batch = tf.cond(augmented, lambda: randomly_augmented(drawn, key), lambda: drawn)
        return tf.ensure_shape(batch, [BATCH_SIZE, side, side, 3])

    return Trainer(build, make_batch, learning_rate=CNN_LEARNING_RATE)


@functools.lru_cache(maxsize=2)
def linear_trainer(dimension: int, classes: int) -> Trainer:
    """Makes the trainer of a linear head: float32[n, dimension], in a pool [n, views, dimension].

    The head starts at 0 because its loss is convex: seeds differ only in batches and images.
    """

    def build(seed: int) -> keras.Model:
        features = keras.Input((dimension,))
        head = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32")
        return keras.Model(features, head(features))

    def make_batch(
        features: tf.Tensor, rows: tf.Tensor, key: tf.Tensor, augmented: tf.Tensor
    ) -> tf.Tensor:
        views = tf.cast(tf.shape(features)[1], tf.float32)
        view = tf.cast(views * _uniform(key, ClassifierStream.VIEW, [BATCH_SIZE]), tf.int64)
        view = tf.where(augmented, view, tf.zeros_like(view))
        batch = tf.gather_nd(features, tf.stack([rows, view], axis=1))
        return tf.ensure_shape(batch, [BATCH_SIZE, dimension])

    return Trainer(build, make_batch, learning_rate=LINEAR_LEARNING_RATE)


def _thresholds(shares: np.ndarray) -> np.ndarray:
    """Returns ends in [0, 1) of all cells except the last; a cell with share 0 is never hit."""
    ends = np.cumsum(shares).astype(np.float32)
    ends[np.flatnonzero(shares)[-1] :] = 2.0  # so that rounding leaves no gap at the end
    return ends[:-1]


def _slices(count: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE)]


def _uniform(key: tf.Tensor, stream: ClassifierStream, shape: list[int | tf.Tensor]) -> tf.Tensor:
    folded = tf.random.experimental.stateless_fold_in(key, int(stream))
    return tf.random.stateless_uniform(shape, folded)
