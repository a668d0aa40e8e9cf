"""Training one small classifier after another on real and synthetic images, in one traced loop.

Two kinds: a CNN from scratch on images, and a linear head on features of a frozen extractor.
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

BATCH_SIZE = classifier.BATCH_SIZE
LEARNING_RATE = {"cnn": classifier.LEARNING_RATE, "linear": 3e-3}
"""Of Adam at the start; a cosine takes it to 0. Fixed beforehand, the same for all arms."""
VIEWS = 4
"""Of each real training image, the first as it is, that a frozen extractor sees."""
CELL, MEMBER, VIEW, SYMMETRY, COLOUR = range(5)
"""What a draw is for: keeps the random numbers of one batch apart."""
AUGMENTATION = (
    "one of the 8 flips and quarter turns; brightness, contrast and saturation within "
    f"{augment.BRIGHTNESS:.0%}, {augment.CONTRAST:.0%} and {augment.SATURATION:.0%}, hue within "
    f"{augment.HUE} rad"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """All that an arm may draw from.

    Attributes:
        inputs: of the CNN uint8[n, side, side, 3]; of a linear head float32[n, views, d].
        labels: int64[n].
        synthetic: bool[n].
    """

    inputs: np.ndarray
    labels: np.ndarray
    synthetic: np.ndarray


def recoloured(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Images flipped, turned and recoloured, each by its own draw.

    Args:
        images: uint8[n, side, side, 3].
        key: int64[2], seed of the draws.

    Returns:
        uint8[n, side, side, 3].
    """
    count = tf.shape(images)[0]
    symmetry = tf.cast(augment.SYMMETRIES * _uniform(key, SYMMETRY, [count]), tf.int32)
    shift, contrast, saturation, hue = tf.unstack(2.0 * _uniform(key, COLOUR, [4, count]) - 1.0)
    signal = tf.cast(augment.turn(images, symmetry), tf.float32) / 127.5 - 1.0
    coloured = augment.colour(
        signal,
        {
            "brightness": augment.BRIGHTNESS * shift,
            "contrast": 1.0 + augment.CONTRAST * contrast,
            "saturation": 1.0 + augment.SATURATION * saturation,
            "hue": augment.HUE * hue,
        },
    )
    return tf.cast(tf.round(127.5 * (tf.clip_by_value(coloured, -1.0, 1.0) + 1.0)), tf.uint8)


def feature_views(extractor: Extractor, images: np.ndarray, *, views: int, seed: int) -> np.ndarray:
    """Features of each image as it is, and of other views of it.

    Args:
        extractor: frozen.
        images: uint8[n, side, side, 3].
        views: of each image, 1 or more.
        seed: of flips, turns and colours.

    Returns:
        float32[n, views, d]; view 0 is the image as it is.
    """
    seen = [extractor(images)]
    for view in range(1, views):
        turned = [
            recoloured(tf.constant(images[start : start + 256]), _key(seed, [view, start])).numpy()
            for start in range(0, len(images), 256)
        ]
        seen.append(extractor(np.concatenate(turned) if turned else images))
    return np.stack(seen, axis=1)


class Trainer:
    """Trains networks of one shape: each call starts from fresh weights, nothing is retraced.

    One call at a time: calls share their variables.
    """

    def __init__(
        self,
        build: Callable[[int], keras.Model],
        take: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
        *,
        classes: int,
        learning_rate: float,
    ) -> None:
        """Builds the network once.

        Args:
            build: seed to a network whose only output are logits float32[n, classes].
            take: pool inputs, rows int64[batch], key and whether to augment, to a batch.
            classes: number of classes.
            learning_rate: of Adam at the start; a cosine takes it to 0.
        """
        self._build, self._take, self._classes = build, take, classes
        self._network = build(0)
        self._learning_rate = learning_rate
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
        """Trains on an arm and predicts.

        The same arguments give the same figures on one machine and thread count.

        Args:
            pool: what is drawn from.
            arm: how it is drawn from.
            class_counts: int[classes], real training images.
            tests: inputs of the network to predict for.
            seed: of weights and batches.
            steps: batches of 64.

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
        return [self._predict(inputs) for inputs in tests]

    def _predict(self, inputs: np.ndarray) -> np.ndarray:
        blocks = [
            self._forward(tf.constant(inputs[start : start + 256])).numpy()
            for start in range(0, len(inputs), 256)
        ]
        return np.concatenate(blocks)

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
            cell = tf.searchsorted(thresholds, _uniform(key, CELL, [BATCH_SIZE]), side="right")
            size = tf.gather(sizes, cell)
            place = tf.cast(size, tf.float32) * _uniform(key, MEMBER, [BATCH_SIZE])
            member = tf.gather(first, cell) + tf.minimum(tf.cast(place, tf.int64), size - 1)
            batch = self._take(inputs, tf.gather(order, member), key, augmented)
            labels = cell % self._classes
            with tf.GradientTape() as tape:
                logits = self._network(batch, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                loss = tf.reduce_mean(losses * tf.gather(loss_weights, labels))
            variables = self._network.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)


@functools.lru_cache(maxsize=2)
def cnn_trainer(side: int, classes: int) -> Trainer:
    """Trainer of the CNN of `evaluation.features.classifier`: images uint8[n, side, side, 3].

    Args:
        side: height and width of the images.
        classes: number of classes.
    """

    def build(seed: int) -> keras.Model:
        network = classifier.small_cnn(side, classes, seed)
        return keras.Model(network.input, network.outputs[0])

    def take(images: tf.Tensor, rows: tf.Tensor, key: tf.Tensor, augmented: tf.Tensor) -> tf.Tensor:
        drawn = tf.gather(images, rows)
        batch = tf.cond(augmented, lambda: recoloured(drawn, key), lambda: drawn)
        return tf.ensure_shape(batch, [BATCH_SIZE, side, side, 3])

    rate = LEARNING_RATE["cnn"]
    return Trainer(build, take, classes=classes, learning_rate=rate)


@functools.lru_cache(maxsize=2)
def linear_trainer(dimension: int, classes: int) -> Trainer:
    """The trainer of a linear head: features float32[n, dimension], its pool [n, views, dimension].

    The head starts at 0, as its loss is convex: seeds differ in their batches and images alone.

    Args:
        dimension: number of features.
        classes: number of classes.
    """

    def build(seed: int) -> keras.Model:
        features = keras.Input((dimension,))
        head = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32")
        return keras.Model(features, head(features))

    def take(
        features: tf.Tensor, rows: tf.Tensor, key: tf.Tensor, augmented: tf.Tensor
    ) -> tf.Tensor:
        views = tf.cast(tf.shape(features)[1], tf.float32)
        view = tf.cast(views * _uniform(key, VIEW, [BATCH_SIZE]), tf.int64)
        view = tf.where(augmented, view, tf.zeros_like(view))
        batch = tf.gather_nd(features, tf.stack([rows, view], axis=1))
        return tf.ensure_shape(batch, [BATCH_SIZE, dimension])

    rate = LEARNING_RATE["linear"]
    return Trainer(build, take, classes=classes, learning_rate=rate)


def _thresholds(shares: np.ndarray) -> np.ndarray:
    """Where in [0, 1) each cell but the last ends; cells of no share are never hit."""
    ends = np.cumsum(shares).astype(np.float32)
    ends[np.flatnonzero(shares)[-1] :] = 2.0  # rounding must not leave a gap at the end
    return ends[:-1]


def _uniform(key: tf.Tensor, purpose: int, shape: list[int | tf.Tensor]) -> tf.Tensor:
    folded = tf.random.experimental.stateless_fold_in(key, purpose)
    return tf.random.stateless_uniform(shape, folded)


def _key(seed: int, rest: list[int]) -> tf.Tensor:
    return tf.constant(np.random.SeedSequence([seed, *rest]).generate_state(2), tf.int64)
