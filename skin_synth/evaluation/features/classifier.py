"""A small CNN, trained on real images: a judge of classes, and features."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages, LabelledImages, batches
from skin_synth.evaluation.cache import Cache, warn_unreadable
from skin_synth.evaluation.features.cpu_layers import fast_on_cpu
from skin_synth.hdf5_check import check_arrays
from skin_synth.keras_backend import keras
from skin_synth.provenance import content_hash
from skin_synth.sealing import seal, seal_fits
from skin_synth.weights_file import save_weights
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.text import escaped

CNN_WIDTHS = (16, 32, 64, 96)
"""Channels of each stage; the last one is the number of features."""
LARGEST_SIDE = 64
"""Larger images are averaged down to this side; outlines stay, fine texture is lost."""
CNN_BATCH = 64
FORWARD_BATCH = 256
"""Images in one forward pass."""
CNN_LEARNING_RATE = 3e-3
FEWEST_STEPS, MOST_STEPS = 120, 1000
CNN_PASSES = 6
"""Number of times that training sees an image by default, within the limits above."""


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """A trained classifier.

    Attributes:
        network: uint8[n, side, side, 3] to (logits float32[n, classes], features float32[n, d]).
        class_names: the classes, in the order of their labels.
        seed: of its weights and batches.
        steps: number of its training steps.
    """

    network: keras.Model
    class_names: tuple[str, ...]
    seed: int
    steps: int

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Probability of each class: uint8[n, side, side, 3] to float32[n, classes]."""
        return self.judge(images)[0]

    def features(self, images: np.ndarray) -> np.ndarray:
        """Activations below the last layer: uint8[n, side, side, 3] to float32[n, d]."""
        return self._forward(images)[1]

    def judge(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes `predict` and `features` in one pass."""
        logits, features = self._forward(images)
        return tf.nn.softmax(logits).numpy(), features

    @property
    def weights_hash(self) -> str:
        """Sha256 over all weights, 64 hexadecimal digits."""
        return content_hash(*self.network.get_weights(), shapes=False)

    def _forward(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # TensorFlow's fused kernels refuse a batch without images, so there is always one.
        some = images if len(images) else np.zeros((1, *self.network.input_shape[1:]), np.uint8)
        parts = [
            self._compiled(tf.constant(some[start : start + FORWARD_BATCH]))
            for start in range(0, len(some), FORWARD_BATCH)
        ]
        logits, features = (np.concatenate(part) for part in zip(*parts, strict=True))
        return logits[: len(images)], features[: len(images)]

    @functools.cached_property
    def _compiled(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """The network for any number of images. It is traced once; Keras traces for each shape.

        TensorFlow counts the traces of all classifiers together and would warn of them.
        """
        signature = [tf.TensorSpec(self.network.input_shape, tf.uint8)]
        forward = tf.function(lambda images: self.network(images, training=False), signature)
        return forward.get_concrete_function()


def train_classifier(
    data: DrawnImages, *, seed: int = 0, steps: int | None = None, fused: bool = False
) -> Classifier:
    """Trains a CNN of four stages on class-balanced batches under flips and quarter turns.

    The same data, seed and steps give the same classifier on one machine and thread count.

    Args:
        data: training images; every class has some.
        seed: of weights and batches.
        steps: batches of 64; None: see `default_steps`.
        fused: whether a CPU trains with `FusedBatchNormalization`, in two thirds of the time. The
            steps differ by rounding, so training ends with other weights, as with another seed.
            Runs and synthetic data sets keep the weights that they always had.

    Raises:
        InputError: fewer than two classes, or a class without an image.
    """
    if len(data.class_names) < 2:
        raise InputError(f"a classifier needs two classes or more, got {data.class_names}")
    if steps is None:
        steps = default_steps(len(data))
    network = small_cnn(data.images.shape[1], len(data.class_names), seed)
    trainer = keras.Model(network.input, network.outputs[0])
    fused = fused and not tf.config.list_logical_devices("GPU")
    if fused:
        trainer = fast_on_cpu(trainer)
    schedule = keras.optimizers.schedules.CosineDecay(CNN_LEARNING_RATE, steps)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(trainer.trainable_variables)  # without this Keras traces the step twice
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer.compile(optimizer=optimizer, loss=loss)
    drawn = batches(data, batch_size=CNN_BATCH, seed=seed, exponent=0.0)
    trainer.fit(drawn.take(steps), shuffle=False, verbose=0)
    if fused:
        network.set_weights(trainer.get_weights())
    return Classifier(network, data.class_names, seed, steps)


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes the weights, complete or not at all, to a file whose name ends in `.weights.h5`."""
    with new_file(path) as file:
        save_weights(classifier.network, classifier.network.weights, file)
        seal(file)


def load_classifier(
    path: Path, side: int, class_names: tuple[str, ...], *, seed: int, steps: int
) -> Classifier:
    """Reads a classifier that `save_classifier` wrote, of images with this side.

    Raises:
        InputError: the file holds no weights of such a classifier.
    """
    network = small_cnn(side, len(class_names), seed)
    try:
        if seal_fits(path) is False:
            raise InputError("its checksum does not fit")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of skipped layers
            check_arrays(path, path.stat().st_size)
            network.load_weights(path)
    except Exception as error:  # h5py and Keras raise many types
        raise InputError(
            f"{path} holds no weights of a classifier of {len(class_names)} classes "
            f"({escaped(str(error))[:200]}): remove it"
        ) from error
    return Classifier(network, class_names, seed, steps)


def cached_classifier(
    data: LabelledImages, *, seed: int, steps: int | None, cache: Cache
) -> Classifier:
    """Returns the result of `train_classifier`, fused, from the cache, or trains and keeps it."""
    steps = default_steps(len(data)) if steps is None else steps
    parts = (content_hash(data.images, data.labels), data.class_names, seed, steps, "fused")
    path = cache.path("classifier", parts, ".weights.h5")
    if path is not None and path.exists():
        try:
            side = data.images.shape[1]
            return load_classifier(path, side, data.class_names, seed=seed, steps=steps)
        except InputError as error:
            warn_unreadable(path, error)
    classifier = train_classifier(data, seed=seed, steps=steps, fused=True)
    if path is not None:
        save_classifier(classifier, path)
    return classifier


def default_steps(images: int) -> int:
    """Returns the batches that show each of `images` about six times, 120 to 1,000."""
    return min(max(CNN_PASSES * images // CNN_BATCH, FEWEST_STEPS), MOST_STEPS)


def small_cnn(side: int, classes: int, seed: int) -> keras.Model:
    """Builds an untrained CNN: uint8[n, side, side, 3] to logits and features, float32[n, 96]."""
    layers = keras.layers
    initializers = (
        keras.initializers.HeNormal(seed=(100 * seed + number) % 2**63)
        for number in itertools.count()
    )
    images = keras.Input((side, side, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(images)
    if side >= 2 * LARGEST_SIDE:
        x = layers.AveragePooling2D(side // LARGEST_SIDE, dtype="float32")(x)
    for stage, width in enumerate(CNN_WIDTHS):
        if stage:
            x = layers.MaxPooling2D(dtype="float32")(x)
        options = {"kernel_initializer": next(initializers), "dtype": "float32"}
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, **options)(x)
        x = layers.BatchNormalization(momentum=0.9, dtype="float32")(x)
        x = layers.ReLU(dtype="float32")(x)
    features = layers.GlobalAveragePooling2D(dtype="float32")(x)
    logits = layers.Dense(classes, kernel_initializer=next(initializers), dtype="float32")(features)
    return keras.Model(images, [logits, features])


def confusion(requested: np.ndarray, assigned: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts images by requested and by assigned class, int[n] each.

    Returns:
        int64[num_classes, num_classes], requested classes in rows.
    """
    cells = np.bincount(requested * num_classes + assigned, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def faithfulness(matrix: np.ndarray) -> tuple[float, list[float | None]]:
    """Computes the share of images assigned to the requested class, by class.

    This is the GAN-test of Shmelkov et al., "How good is my GAN?" (ECCV 2018): the classifier is
    trained on real images and applied to synthetic ones.

    Args:
        matrix: int[classes, classes], see `confusion`.

    Returns:
        Mean over the classes that have images, and the share of each class (None: no image).
    """
    hits, totals = matrix.diagonal(), matrix.sum(axis=1)
    shares = [
        float(hit / total) if total else None for hit, total in zip(hits, totals, strict=True)
    ]
    return float(np.mean([share for share in shares if share is not None])), shares
