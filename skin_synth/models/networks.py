"""Generator and discriminator: plain stacks of convolutions, one per resolution."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from skin_synth.keras_backend import keras, layers, ops
from skin_synth.models.layers import DownsamplingConv, ModulatedNorm, UpsamplingConv, leaky
from skin_synth.presets import DISCRIMINATOR_FEATURES


def _seeds(seed: int) -> Iterator[int]:
    """Yields a seed of initial weights for each layer, without end."""
    source = np.random.default_rng(seed)
    while True:
        yield int(source.integers(2**31))


def _glorot(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))


def _he(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.HeNormal(seed=next(seeds))


def _class_embedding(num_classes: int, length: int, seed: int) -> layers.Embedding:
    # Unit normal: with Keras' default the class has no effect for tens of thousands of images.
    unit_normal = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    return layers.Embedding(
        num_classes, length, embeddings_initializer=unit_normal, dtype="float32", name="embedding"
    )


@keras.saving.register_keras_serializable("skin_synth")
class Generator(keras.Model):
    """Generates an image of a class from a latent vector.

    The condition is the latent and the class embedding, mixed by `mapping_layers` dense layers, a
    mapping network (Karras et al. 2019, section 2). Without these, the latent acts in all classes
    alike: each class then has few forms. The condition gives the first 4x4 features and modulates
    the normalisation of every stage. A stage doubles the resolution and convolves (see
    `UpsamplingConv`). `dtype` is the policy of the convolutions; the last layer is float32 under
    every policy.

    Call with (latents: float32[n, latent_dim], label_ids: int[n]); returns
    float32[n, image_size, image_size, 3] in [-1, 1].

    Attributes:
        widths: channels at 4x4, 8x8, ... up to the image size.
        latent_dim: length of the latent vector.
        embedding_dim: length of the class embedding.
        num_classes: number of classes.
        mapping_layers: number of dense layers that mix latent and class embedding.
        seed: of the initial weights.
        image_size: height and width of the images, in pixels.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        latent_dim: int,
        embedding_dim: int,
        num_classes: int,
        mapping_layers: int = 0,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.widths = tuple(widths)
        self.mapping_layers = mapping_layers
        self.latent_dim = latent_dim
        self.embedding_dim = embedding_dim
        self.num_classes = num_classes
        self.seed = seed
        self.image_size = 4 * 2 ** (len(self.widths) - 1)
        self._make_layers(_seeds(seed))
        self(((tf.zeros([1, latent_dim])), tf.zeros([1], tf.int32)))

    def _make_layers(self, seeds: Iterator[int]) -> None:
        policy = self.dtype_policy
        # All layers have fixed names. Keras' default names count through the process, and the order
        # in which TensorFlow adds gradients, and so their last bit, depends on the names.
        self.embedding = _class_embedding(self.num_classes, self.embedding_dim, next(seeds))
        self.mapping = [
            layers.Dense(
                self.latent_dim + self.embedding_dim,
                kernel_initializer=_he(seeds),
                dtype="float32",
                name=f"mapping_{number}",
            )
            for number in range(self.mapping_layers)
        ]
        first = {"kernel_initializer": _glorot(seeds), "dtype": policy, "name": "first"}
        self.first = layers.Dense(16 * self.widths[0], use_bias=False, **first)
        self.norms = [
            ModulatedNorm(dtype=policy, name=f"norm_{stage}") for stage in range(len(self.widths))
        ]
        self.ups = [
            UpsamplingConv(width, kernel_initializer=_he(seeds), dtype=policy, name=f"up_{stage}")
            for stage, width in enumerate(self.widths[1:], start=1)
        ]
        self.to_rgb = layers.Conv2D(
            3, 3, padding="same", kernel_initializer=_glorot(seeds), dtype="float32", name="to_rgb"
        )

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Generates images; `training` uses the moments of the batch and faster gradients."""
        condition = self.condition(*inputs, training=training)
        x = ops.reshape(self.first(condition), (-1, 4, 4, self.widths[0]))
        x = leaky(self.norms[0]((x, condition), training=training), training)
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            x = leaky(norm((up(x, training=training), condition), training=training), training)
        return ops.tanh(self.to_rgb(x))

    def condition(
        self, latents: tf.Tensor, label_ids: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Mixes latents and classes: float32[n, latent_dim + embedding_dim]."""
        condition = ops.concatenate([latents, self.embedding(label_ids)], axis=-1)
        for dense in self.mapping:
            condition = leaky(dense(condition), training)
        return condition

    @contextlib.contextmanager
    def kernels_spread_once(self) -> Iterator[None]:
        """Spreads the kernels of all stages once, for a loop of calls with the same weights."""
        with contextlib.ExitStack() as all_stages:
            for up in self.ups:
                all_stages.enter_context(up.spread_once())
            yield

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        own = ("widths", "latent_dim", "embedding_dim", "num_classes", "mapping_layers", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable("skin_synth")
class Discriminator(keras.Model):
    """Gives each image a logit: how real it looks as an image of its class.

    It has strided 4x4 convolutions without normalisation down to 4x4 pixels, then the projection
    head (Miyato and Koyama 2018, eq. 3) in float32: w.h + e(class).h / sqrt(features). `dtype` is
    the policy of the convolutions.

    Call with (images: float32[n, image_size, image_size, 3], label_ids: int[n]); returns
    float32[n]. Row i depends only on row i; all operations have second derivatives.

    Attributes:
        widths: channels at image_size/2, ... down to 4x4.
        image_size: height and width of the images, in pixels.
        num_classes: number of classes.
        features: length of the features h that the head reads.
        seed: of the initial weights.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        image_size: int,
        num_classes: int,
        features: int = DISCRIMINATOR_FEATURES,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.widths = tuple(widths)
        self.image_size = image_size
        self.num_classes = num_classes
        self.features = features
        self.seed = seed
        self._make_layers(_seeds(seed))
        self((tf.zeros([1, image_size, image_size, 3]), tf.zeros([1], tf.int32)))

    def _make_layers(self, seeds: Iterator[int]) -> None:
        policy = self.dtype_policy
        self.downs = [
            DownsamplingConv(
                width, kernel_initializer=_he(seeds), dtype=policy, name=f"down_{stage}"
            )
            for stage, width in enumerate(self.widths)
        ]
        self.flatten = layers.Flatten(dtype="float32", name="flatten")
        self.hidden = layers.Dense(
            self.features, kernel_initializer=_he(seeds), dtype="float32", name="hidden"
        )
        self.unconditional = layers.Dense(
            1, kernel_initializer=_glorot(seeds), dtype="float32", name="unconditional"
        )
        self.embedding = _class_embedding(self.num_classes, self.features, next(seeds))

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns logits; `training` makes the gradients faster (see `layers.leaky`)."""
        x, label_ids = inputs
        for down in self.downs:
            x = leaky(down(x), training)
        h = leaky(self.hidden(self.flatten(x)), training)
        projection = ops.sum(h * self.embedding(label_ids), axis=-1) / self.features**0.5
        return self.unconditional(h)[:, 0] + projection

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        own = ("widths", "image_size", "num_classes", "features", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
