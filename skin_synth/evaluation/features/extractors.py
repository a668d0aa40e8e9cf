"""Feature extractors: one small interface, four kinds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from skin_synth.evaluation.features.classifier import LARGEST_SIDE, Classifier
from skin_synth.evaluation.features.cpu_layers import PointwiseConv2D
from skin_synth.evaluation.features.imagenet import existing_file, file_sha256, with_imagenet
from skin_synth.evaluation.features.labelled_features import check_finite
from skin_synth.evaluation.features.model_file import check_model_file
from skin_synth.keras_backend import keras
from tfrecords_tools.errors import InputError
from tfrecords_tools.text import first_line

EXTRACTOR_NAMES = ("classifier", "mobilenet", "inception")
"""Names of extractors; any saved Keras model is another, by its file."""
TAKE_WEIGHTS = ("mobilenet", "inception")
"""Names of those whose weights may be in a file."""
KERAS_SUFFIX = ".keras"
TRIED_IMAGES = 256
"""Number of real images on which features are tried before anything is trained."""
SMALLEST_SPREAD = 1e-5
"""Features must differ by this share of their length; rounding in float32 is about 1e-7."""
EXTRACTOR_BATCH = 128
CPU_BATCH = 8
"""Images in one pass of a network on a CPU: the activations of more leave its caches."""


@dataclasses.dataclass(frozen=True, eq=False)
class Extractor:
    """Turns images into features; real and synthetic ones in the same way.

    Attributes:
        name: one of `EXTRACTOR_NAMES`, or the file name of a saved model.
        title: name of the features in names of distances; empty for the features of FID.
        dimension: number of features.
        provenance: source of the weights, their hash, and the resize of images.
        function: uint8[n, side, side, 3] to float32[n, dimension], for one batch.
    """

    name: str
    title: str
    dimension: int
    provenance: Mapping[str, str]
    function: Callable[[np.ndarray], np.ndarray]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Computes features: uint8[n, side, side, 3] to float32[n, dimension]."""
        found = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), EXTRACTOR_BATCH):
            rows = slice(start, start + EXTRACTOR_BATCH)
            found[rows] = self.function(images[rows])
        return found

    @property
    def frechet_name(self) -> str:
        """Name of the Fréchet distance of these features."""
        return f"FD ({self.title})" if self.title else "FID"

    @property
    def kernel_name(self) -> str:
        """Name of the kernel distance of these features."""
        return f"KID ({self.title})" if self.title else "KID"

    @property
    def key(self) -> tuple[str, str, int]:
        """All that its features depend on, except the images: weights, resize, number."""
        return self.provenance["sha256"], self.provenance["resize"], self.dimension


def check_choice(features: str, weights: str | os.PathLike[str] | None) -> None:
    """Checks a choice of features before anything is loaded.

    Raises:
        InputError: unknown features, or weights that these features do not take.
    """
    if features not in EXTRACTOR_NAMES and not features.endswith(KERAS_SUFFIX):
        raise InputError(
            f"unknown features {features!r}; there are {', '.join(EXTRACTOR_NAMES)} and "
            f"saved Keras models (FILE{KERAS_SUFFIX})"
        )
    if features == "classifier" and weights is not None:
        raise InputError(
            f"features 'classifier' are trained here and take no weights, got {weights}: drop "
            "--weights, or choose --features mobilenet or inception"
        )
    if features.endswith(KERAS_SUFFIX) and weights is not None:
        raise InputError(f"{features} holds its own weights, got {weights} as well: drop --weights")


def load_extractor(features: str, weights: str | os.PathLike[str] | None) -> Extractor | None:
    """Loads an extractor with its weights; None if it has to be trained on the data.

    Args:
        features: one of `EXTRACTOR_NAMES`, or a saved model's file.
        weights: weights file of mobilenet or inception.

    Raises:
        InputError: unknown features, missing weights, or a file that does not fit.
    """
    check_choice(features, weights)
    if features.endswith(KERAS_SUFFIX):
        return keras_model(features)
    if features == "mobilenet":
        return mobilenet(weights)
    return inception(weights) if features == "inception" else None


def check_spread(extractor: Extractor, images: np.ndarray) -> None:
    """Checks that features distinguish real images, uint8[n, side, side, 3], n of 2 or more.

    Features that are the same for all images give the best distances there are.

    Raises:
        InputError: features that are not finite, or are the same for most images.
    """
    tried = np.unique(images[:: max(1, len(images) // TRIED_IMAGES)], axis=0)
    found = extractor(tried).astype(np.float64)
    check_finite(found, f"the features {extractor.name}")
    step = SMALLEST_SPREAD * max(float(np.sqrt(np.square(found).sum(axis=1).mean())), 1e-30)
    different = len(np.unique(np.round(found / step), axis=0))
    if 2 * different > len(tried) or len(tried) < 2:
        return
    cause = (
        "the classifier has learnt nothing: give it more steps, or choose other features"
        if extractor.name == "classifier"
        else "the network is saturated, or its weights are missing. It gets pixels from 0 to 255, "
        "so save it with its preprocessing (for 0 to 1: keras.layers.Rescaling(1 / 255))"
    )
    raise InputError(
        f"the features {extractor.name} are the same for real images: {len(tried):,} images have "
        f"only {different:,} different rows of features. Probably {cause}"
    )


def of_classifier(classifier: Classifier) -> Extractor:
    """Makes features of a classifier that was trained on real images of the same kind."""
    side = classifier.network.input_shape[1]
    resized = side >= 2 * LARGEST_SIDE
    return Extractor(
        name="classifier",
        title="classifier",
        dimension=classifier.network.output_shape[1][1],
        provenance={
            "weights": f"trained on the real training images, seed {classifier.seed}, "
            f"{classifier.steps} steps",
            "sha256": classifier.weights_hash,
            "resize": f"averaged to {LARGEST_SIDE}x{LARGEST_SIDE}" if resized else "none",
        },
        function=classifier.features,
    )


def mobilenet(weights: str | os.PathLike[str] | None) -> Extractor:
    """Makes the 768 average-pooled features of MobileNet v1 (alpha 0.75, 224x224).

    Args:
        weights: file with the ImageNet weights of `keras.applications.MobileNet`, top included;
            None downloads them.

    Raises:
        InputError: no network, no file, or one that does not fit.
    """
    options = {"alpha": 0.75, "input_shape": (224, 224, 3)}
    network, source, sha256 = with_imagenet(keras.applications.MobileNet, weights, **options)
    pooled = _folded(network)
    return Extractor(
        name="mobilenet",
        title="MobileNet",
        dimension=int(np.prod(pooled.output_shape[1:])),
        provenance=_provenance(source, sha256, 224),
        function=_on_resized(pooled, 224, scaled=True),
    )


def _folded(network: keras.Model) -> keras.Model:
    """Returns MobileNet up to its pooling, with each normalisation folded into its convolution.

    y = s (w * x - m) + b is the convolution of x with s w, plus b - s m. Each normalisation would
    read and write all activations once more, which takes a quarter of the time on a CPU.
    """
    layers = keras.layers
    norms = {
        layer.name.removesuffix("_bn"): layer
        for layer in network.layers
        if isinstance(layer, layers.BatchNormalization)
    }
    images = keras.Input(network.input_shape[1:])
    x = images
    pointwise = ""
    for layer in network.layers[1:]:  # they form a chain
        if isinstance(layer, layers.BatchNormalization) or layer.name == f"{pointwise}_relu":
            continue
        norm = norms.get(layer.name)
        config = layer.get_config() | ({"use_bias": True} if norm else {})
        kind = type(layer)
        if norm and kind is layers.Conv2D and layer.kernel_size == (1, 1):
            pointwise, kind = layer.name, PointwiseConv2D
            config["activation"] = "relu6"
        folded = kind.from_config(config)
        x = folded(x)
        if norm:
            gamma, beta, mean, variance = norm.get_weights()
            scale = gamma / np.sqrt(variance + norm.epsilon)
            of_kernel = scale[:, None] if isinstance(layer, layers.DepthwiseConv2D) else scale
            folded.set_weights([layer.get_weights()[0] * of_kernel, beta - mean * scale])
        if isinstance(layer, layers.GlobalAveragePooling2D):
            break
    return keras.Model(images, x)


def inception(weights: str | os.PathLike[str] | None) -> Extractor:
    """Makes the 2,048 average-pooled features of Inception-v3 (299x299): those of FID.

    The weights are those of keras.applications. With other copies of the network, figures differ
    in the second digit.

    Args:
        weights: file with the ImageNet weights without top; None downloads them.

    Raises:
        InputError: no network, no file, or one that does not fit.
    """
    options = {"include_top": False, "pooling": "avg", "input_shape": (299, 299, 3)}
    network, source, sha256 = with_imagenet(keras.applications.InceptionV3, weights, **options)
    return Extractor(
        name="inception",
        title="",
        dimension=network.output_shape[1],
        provenance=_provenance(source, sha256, 299),
        function=_on_resized(network, 299, scaled=True),
    )


def keras_model(path: str | os.PathLike[str]) -> Extractor:
    """Makes features of any Keras model saved as one file.

    The model gets pixels from 0 to 255 and must contain its preprocessing. Images are resized to
    its input, unless its height and width are not fixed. A feature map is averaged over its
    positions.

    Args:
        path: file that `model.save` wrote, see `model_file`.

    Raises:
        InputError: no file, no model, code in it, or no map of one image to one vector.
    """
    file = existing_file(path)
    check_model_file(file)
    try:
        network = keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # zip, json, h5py and keras raise many types
        raise InputError(f"{file} holds no Keras model: {first_line(error)}") from error
    shape, output = network.input_shape, network.output_shape
    wanted = isinstance(shape, tuple) and len(shape) == 4 and shape[3] == 3
    if not wanted or shape[1] != shape[2] or not isinstance(output, tuple) or len(output) < 2:
        raise InputError(
            f"{file} must turn square images [n, side, side, 3] into one row of features each, it "
            f"turns {shape} into {output}"
        )
    if len(output) not in (2, 4) or output[-1] is None:
        raise InputError(f"{file} must give [n, d] or [n, h, w, d], it gives {output}")
    side = shape[1]
    return Extractor(
        name=file.name,
        title=file.stem,
        dimension=output[-1],
        provenance=_provenance(file.name, file_sha256(file), side),
        function=_on_resized(network, side),
    )


def resize(images: np.ndarray, side: int) -> tf.Tensor:
    """Resizes images, bicubic and antialiased, and clips them (Parmar et al., CVPR 2022).

    Returns:
        float32[n, side, side, 3], 0 to 255, from uint8[n, height, width, 3].
    """
    rows, columns = (_resize_weights(tf.shape(images)[axis], side) for axis in (1, 2))
    # Two matrix products, because tf.image.resize takes three times as long on a CPU.
    channels_first = tf.transpose(tf.cast(images, tf.float32), [0, 3, 1, 2])
    resized = tf.matmul(rows, tf.matmul(channels_first, columns, transpose_b=True))
    return tf.clip_by_value(tf.transpose(resized, [0, 2, 3, 1]), 0.0, 255.0)


def _resize_weights(length: tf.Tensor, side: int) -> tf.Tensor:
    """Share of each of `length` pixels in each of `side`: float32[side, length]."""
    each_pixel = tf.eye(length)[None, :, :, None]
    size = tf.stack([side, length])
    return tf.image.resize(each_pixel, size, method="bicubic", antialias=True)[0, :, :, 0]


def _on_resized(
    network: keras.Model, side: int | None, *, scaled: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """Makes the function of an extractor; `scaled`: the network takes -1 to 1, not 0 to 255."""
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    step = EXTRACTOR_BATCH if on_gpu else CPU_BATCH

    @tf.function(autograph=False, reduce_retracing=True)
    def forward(images: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(images, tf.float32) if side is None else resize(images, side)
        found = network(pixels / 127.5 - 1.0 if scaled else pixels, training=False)
        found = tf.cast(found, tf.float32)
        return tf.reduce_mean(found, [1, 2]) if len(found.shape) == 4 else found

    def function(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), step)
        return np.concatenate([forward(images[start : start + step]) for start in starts])

    return function


def _provenance(weights: str, sha256: str, side: int | None) -> dict[str, str]:
    resize = "none" if side is None else f"bicubic to {side}x{side}, antialiased"
    return {"weights": weights, "sha256": sha256, "resize": resize}
