"""Trains classifiers in one compiled loop, phase by phase.

A training is a pure function of (network, pools, seed). Its state at the end of a phase can be
stored, so that several trainings share a phase and a stopped study resumes.
"""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import tensorflow as tf

from skin_synth import augment
from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.cpu_layers import fast_on_cpu
from skin_synth.evaluation.utility.classifiers.networks import Classifier, make_classifier
from skin_synth.keras_backend import keras
from skin_synth.random_streams import ClassifierStream

AUGMENTATION_PROBABILITY = 0.7
"""Of each of symmetry, shift, geometric augmentation (`warp`), colour and cutout in `augment`."""
MIXUP_ALPHA = 0.2
"""Zhang et al., "mixup" (ICLR 2018)."""
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises; then a cosine decreases it to 0."""
FORWARD_BATCH = 256
AUGMENTATION = (
    f"each with probability {AUGMENTATION_PROBABILITY:g}: one of the 8 flips and quarter turns; "
    f"shift within {augment.SHIFT:.1%} of the side; rotation by any angle with scale and stretch "
    f"within a factor of {2**augment.LOG2_SCALE:.2f}; brightness, contrast and saturation within "
    f"{augment.BRIGHTNESS:.0%}, {augment.CONTRAST:.0%} and {augment.SATURATION:.0%}, hue within "
    f"{augment.HUE} rad; a square of {augment.CUTOUT:.0%} of the side cut out. MixUp: alpha "
    f"{MIXUP_ALPHA}"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Images to draw batches from.

    Attributes:
        images: uint8[n, side, side, 3].
        targets: float32[n, classes], the probability of each class; one-hot for plain labels.
        shares: float64[n], probability of drawing each image; the sum is 1.
    """

    images: np.ndarray
    targets: np.ndarray
    shares: np.ndarray

    @property
    def prior(self) -> np.ndarray:
        """The share of each class among the drawn images: float64[classes]."""
        return self.shares @ self.targets


@dataclasses.dataclass(frozen=True)
class Method:
    """How batches are used, the same in all phases of a training.

    Attributes:
        augmented: augments every image, see `skin_synth.augment`.
        mixup: mixes pairs of images and of targets.
        logit_adjusted: adds the log of the class shares to the logits in the loss (Menon et al.,
            ICLR 2021), so that the network learns for equal shares.
    """

    augmented: bool = True
    mixup: bool = False
    logit_adjusted: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """State of a training: all weights of the network, all variables of AdamW."""

    weights: tuple[np.ndarray, ...]
    optimizer: tuple[np.ndarray, ...]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns arrays by name, for a file."""
        return {f"w{i}": each for i, each in enumerate(self.weights)} | {
            f"o{i}": each for i, each in enumerate(self.optimizer)
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> State:
        """Returns the state of these arrays; the inverse of `to_arrays`."""
        counts = {letter: sum(name[0] == letter for name in arrays) for letter in "wo"}
        return cls(
            *(tuple(arrays[f"{letter}{i}"] for i in range(n)) for letter, n in counts.items())
        )


class Trainer:
    """Trains one kind of network on images of one size, without retracing between trainings.

    Calls share their variables, so only one may run at a time.
    """

    def __init__(
        self, classifier: Classifier, side: int, classes: int, *, batch_size: int, policy: str
    ) -> None:
        """Builds the network once.

        Args:
            classifier: the kind of network.
            side: height and width of the images, in pixels.
            classes: number of classes.
            batch_size: images in a step.
            policy: dtype policy of Keras: float32 or mixed_bfloat16.
        """
        self.classifier, self.classes, self.batch_size = classifier, classes, batch_size
        self.policy, self._side = policy, side
        on_gpu = bool(tf.config.list_logical_devices("GPU"))
        self.network = self._built(0) if on_gpu else fast_on_cpu(self._built(0))
        self._optimizer = keras.optimizers.AdamW(
            classifier.learning_rate, weight_decay=classifier.weight_decay
        )
        self._optimizer.build(self.network.trainable_variables)
        self._fresh = tuple(variable.numpy() for variable in self._optimizer.variables)
        # XLA makes these networks slower on a CPU, and compiles in seconds on a GPU.
        self._step = tf.function(self._train_step, jit_compile=on_gpu)
        self._loop = tf.function(self._train_loop, reduce_retracing=True)
        self._forward = tf.function(
            lambda images: tf.nn.log_softmax(self.network(_signal(images), training=False)),
            autograph=False,
            reduce_retracing=True,
        )

    def fresh(self, seed: int) -> State:
        """Returns the state before the first step."""
        weights = tuple(self._built(seed).get_weights())
        return State(weights, self._fresh)

    def train(
        self,
        state: State,
        pool: Pool,
        method: Method,
        *,
        seed: int,
        steps: range,
        total: int,
    ) -> tuple[State, np.ndarray]:
        """Trains on some of the steps of a training.

        Args:
            state: the state before the first of `steps`.
            pool: the images of the batches.
            method: how batches are used.
            seed: of batches and augmentation; batch t depends on (seed, t) only.
            steps: numbers of the steps, from 0.
            total: steps of the whole training; the learning rate depends on it.

        Returns:
            The state after the last step, and the loss of each step, float32[steps].
        """
        self._set(state)
        prior = np.log(np.maximum(pool.prior, 1e-6)) if method.logit_adjusted else 0.0 * pool.prior
        losses = self._loop(
            tf.constant(pool.images),
            tf.constant(pool.targets, tf.float32),
            tf.constant(np.cumsum(pool.shares) / np.sum(pool.shares)),
            tf.constant(prior, tf.float32),
            tf.constant(method.augmented),
            tf.constant(method.mixup),
            tf.constant(seed, tf.int64),
            tf.constant(steps.start, tf.int64),
            tf.constant(steps.stop, tf.int64),
            tf.constant(total, tf.float32),
        )
        after = State(
            tuple(self.network.get_weights()),
            tuple(variable.numpy() for variable in self._optimizer.variables),
        )
        return after, losses.numpy()

    def log_probabilities(self, state: State, images: np.ndarray) -> np.ndarray:
        """Predicts log-probabilities: uint8[n, side, side, 3] to float32[n, classes]."""
        self._set(state)
        starts = range(0, len(images), FORWARD_BATCH)
        parts = [self._forward(images[start : start + FORWARD_BATCH]).numpy() for start in starts]
        return np.concatenate(parts)

    def _built(self, seed: int) -> keras.Model:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)
        try:
            return self.classifier.build(self._side, self.classes, seed)
        finally:
            keras.config.set_dtype_policy(before)

    def _set(self, state: State) -> None:
        self.network.set_weights(list(state.weights))
        for variable, value in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)

    def _train_loop(
        self,
        images: tf.Tensor,
        targets: tf.Tensor,
        cumulative: tf.Tensor,
        prior: tf.Tensor,
        augmented: tf.Tensor,
        mixup: tf.Tensor,
        seed: tf.Tensor,
        start: tf.Tensor,
        stop: tf.Tensor,
        total: tf.Tensor,
    ) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, size=tf.cast(stop - start, tf.int32))
        for step in tf.range(start, stop):
            rate = self.classifier.learning_rate * _rate(tf.cast(step, tf.float32) / total)
            self._optimizer.learning_rate.assign(rate)
            key = tf.stack([seed, step])
            drawn = _uniform(key, ClassifierStream.MEMBER, [self.batch_size], tf.float64)
            rows = tf.searchsorted(cumulative, drawn, side="right")
            rows = tf.minimum(rows, tf.size(cumulative) - 1)
            signal = tf.ensure_shape(
                _signal(tf.gather(images, rows)), [self.batch_size, self._side, self._side, 3]
            )
            aims = tf.ensure_shape(tf.gather(targets, rows), [self.batch_size, self.classes])
            loss = self._step(signal, aims, prior, augmented, mixup, key)
            losses = losses.write(tf.cast(step - start, tf.int32), loss)
        return losses.stack()

    def _train_step(
        self,
        signal: tf.Tensor,
        targets: tf.Tensor,
        prior: tf.Tensor,
        augmented: tf.Tensor,
        mixup: tf.Tensor,
        key: tf.Tensor,
    ) -> tf.Tensor:
        signal = tf.cond(augmented, lambda: _augmented(signal, key), lambda: signal)
        share = tf.where(mixup, _mixup_share(key), 1.0)
        signal = share * signal + (1.0 - share) * tf.reverse(signal, [0])
        targets = share * targets + (1.0 - share) * tf.reverse(targets, [0])
        with tf.GradientTape() as tape:
            logits = self.network(signal, training=True) + prior
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses)
        variables = self.network.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss


def make_trainer(
    name: str,
    images: LabelledImages,
    *,
    weights: str | os.PathLike[str] | None,
    batch_size: int,
    policy: str,
) -> Trainer:
    """Makes the trainer of a kind of classifier for the size and the classes of images.

    Raises:
        InputError: see `make_classifier`.
    """
    side, classes = images.images.shape[1], len(images.class_names)
    classifier = make_classifier(name, weights)
    return Trainer(classifier, side, classes, batch_size=batch_size, policy=policy)


def _signal(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def _rate(done: tf.Tensor) -> tf.Tensor:
    """Returns the share of the largest learning rate at a share of the steps."""
    return tf.minimum(done / WARM_UP, 1.0) * (1.0 + tf.cos(np.pi * done)) / 2.0


def _augmented(signal: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    folded = tf.random.experimental.stateless_fold_in(key, int(ClassifierStream.AUGMENTATION))
    drawn = augment.draw(folded, signal.shape[0], tf.constant(AUGMENTATION_PROBABILITY))
    return tf.clip_by_value(augment.apply(signal, drawn), -1.0, 1.0)


def _mixup_share(key: tf.Tensor) -> tf.Tensor:
    """Draws the share of the first image of each pair, Beta(alpha, alpha): float32[]."""
    folded = tf.random.experimental.stateless_fold_in(key, int(ClassifierStream.MIXUP))
    # Small shapes make both gammas underflow to 0; their logs do not (Marsaglia & Tsang, 2000).
    gammas = tf.random.stateless_gamma([2], folded, alpha=MIXUP_ALPHA + 1.0)
    powers = tf.random.stateless_uniform([2], tf.bitwise.invert(folded), 1e-30, 1.0)
    return tf.nn.softmax(tf.math.log(gammas) + tf.math.log(powers) / MIXUP_ALPHA)[0]


def _uniform(
    key: tf.Tensor, stream: ClassifierStream, shape: list[int], dtype: tf.DType
) -> tf.Tensor:
    folded = tf.random.experimental.stateless_fold_in(key, int(stream))
    return tf.random.stateless_uniform(shape, folded, dtype=dtype)
