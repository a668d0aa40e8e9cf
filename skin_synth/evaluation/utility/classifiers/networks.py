"""Networks of the utility studies: float images in [-1, 1] to logits."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator

from skin_synth.evaluation.features import classifier
from skin_synth.evaluation.features.imagenet import with_imagenet
from skin_synth.keras_backend import keras
from tfrecords_tools.errors import InputError

RESNET, FINETUNED, SMALL = "resnet", "finetuned", "small"
CLASSIFIERS = (RESNET, FINETUNED, SMALL)
"""Names of the classifiers that a study can train."""
RESNET_WIDTH = 32
"""Channels of the stage at 32x32 for 64-pixel images: 0.7M parameters; 64 channels give 2.8M."""
BLOCKS_IN_STAGE = 2
LAST_STAGE_SIDE = 8
FINETUNED_SIDE = 128
"""Smaller images are enlarged to this side for MobileNet."""
BATCH_NORM_MOMENTUM = 0.9
"""With 0.99, statistics of the first steps would remain, because trainings are short."""


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """One kind of network and how it is trained.

    Attributes:
        name: one of `CLASSIFIERS`.
        build: makes a network from side, number of classes and seed. It turns float
            [n, side, side, 3] in [-1, 1] into logits float32[n, classes].
        learning_rate: largest rate of AdamW.
        weight_decay: of AdamW.
        weights_hash: sha256 of the pretrained weights; empty for a network from scratch.
    """

    name: str
    build: Callable[[int, int, int], keras.Model]
    learning_rate: float
    weight_decay: float
    weights_hash: str = ""


def make_classifier(
    name: str, weights: str | os.PathLike[str] | None = None, *, width: int = RESNET_WIDTH
) -> Classifier:
    """Makes a kind of classifier by its name.

    Args:
        name: `resnet` (from scratch), `finetuned` (MobileNet with ImageNet weights, trained whole)
            or `small` (the CNN that judges images in `evaluate`).
        weights: file with the ImageNet weights of `keras.applications.MobileNet` (alpha 0.75, 224
            pixels, top included); for `finetuned` only, which downloads them if there is no file.
        width: channels of `resnet`; 32 has about 0.7M parameters, 64 about 2.8M.

    Raises:
        InputError: an unknown name, unexpected or wrong weights, or no network to download them.
    """
    if name not in CLASSIFIERS:
        raise InputError(f"unknown classifier {name!r}; there are {', '.join(CLASSIFIERS)}")
    if name == FINETUNED:
        return _finetuned(weights)
    if weights is not None:
        raise InputError(f"classifier {name} starts from scratch and takes no weights: {weights}")
    if name == RESNET:
        return Classifier(
            RESNET,
            lambda *shape: resnet(*shape, width=width),
            learning_rate=2e-3,
            weight_decay=0.05,
        )
    return Classifier(SMALL, _small, learning_rate=3e-3, weight_decay=0.0)


def resnet(side: int, classes: int, seed: int, *, width: int = RESNET_WIDTH) -> keras.Model:
    """Builds a pre-activation ResNet (He et al., ECCV 2016) without pretrained weights.

    A convolution halves the image. Stages of two blocks follow, down to 8x8. Each stage has twice
    the channels of the previous one: 32, 64, 128 at 64 pixels, 16, 32, 64, 128 at 128 pixels.
    """
    layers, initial = keras.layers, _initializers(seed)
    stages = max((side // 2 // LAST_STAGE_SIDE).bit_length(), 1)
    widths = [max(4 * width // 2**stage, 8) for stage in reversed(range(stages))]

    def convolution(
        x: keras.KerasTensor, channels: int, size: int, strides: int = 1
    ) -> keras.KerasTensor:
        return layers.Conv2D(
            channels,
            size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer=next(initial),
        )(x)

    def activated(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.ReLU()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))

    images = keras.Input((side, side, 3))
    x = convolution(images, widths[0], 4, strides=2)
    for stage, channels in enumerate(widths):
        for block in range(BLOCKS_IN_STAGE):
            strides = 2 if stage and not block else 1
            inner = convolution(activated(x), channels, 3, strides)
            inner = convolution(activated(inner), channels, 3)
            if strides == 2:
                x = convolution(layers.AveragePooling2D(2)(x), channels, 1)
            x = layers.Add()([x, inner])
    x = layers.GlobalAveragePooling2D()(activated(x))
    return keras.Model(images, _head(x, classes, next(initial)))


def _finetuned(weights: str | os.PathLike[str] | None) -> Classifier:
    # The weights of all layers below the top do not depend on the side.
    options = {"alpha": 0.75, "input_shape": (224, 224, 3)}
    trained, _, digest = with_imagenet(keras.applications.MobileNet, weights, **options)

    def build(side: int, classes: int, seed: int) -> keras.Model:
        larger = max(side, FINETUNED_SIDE)
        network = keras.applications.MobileNet(
            alpha=0.75, input_shape=(larger, larger, 3), weights=None, include_top=False
        )
        for layer, given in zip(network.layers, trained.layers, strict=False):
            layer.set_weights(given.get_weights())
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = BATCH_NORM_MOMENTUM
        images = keras.Input((side, side, 3))
        enlarged = keras.layers.Resizing(larger, larger)(images) if larger > side else images
        pooled = keras.layers.GlobalAveragePooling2D()(network(enlarged))
        return keras.Model(images, _head(pooled, classes, next(_initializers(seed))))

    return Classifier(FINETUNED, build, learning_rate=5e-4, weight_decay=0.05, weights_hash=digest)


def _small(side: int, classes: int, seed: int) -> keras.Model:
    """Builds the CNN of `features.classifier` on float images."""
    network = classifier.small_cnn(side, classes, seed)
    images = keras.Input((side, side, 3))
    logits, _ = network(keras.layers.Rescaling(127.5, offset=127.5, dtype="float32")(images))
    return keras.Model(images, logits)


def _head(x: keras.KerasTensor, classes: int, initial: keras.Initializer) -> keras.KerasTensor:
    return keras.layers.Dense(classes, kernel_initializer=initial, dtype="float32")(x)


def _initializers(seed: int) -> Iterator[keras.Initializer]:
    return (
        keras.initializers.HeNormal(seed=(1000 * seed + number) % 2**63)
        for number in itertools.count()
    )
