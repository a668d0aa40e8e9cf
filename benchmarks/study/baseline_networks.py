"""The networks of the two baselines; see `benchmarks.study.baselines` for their sources.

A generator is called with (latents: float32[n, 64], label_ids: int[n]) and returns float32
[n, size, size, 3] in [-1, 1]; a discriminator with (images of that kind, label_ids: int[n]) and
returns float32[n] logits. Convolutions run in the dtype policy; heads, statistics, spectral norms
and the layer that makes the image are float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

LATENT_DIM = 64
LEAK = 0.2
EPSILON = 1e-3
MOMENTUM = 0.99
"""Of batch normalisation, both Keras' defaults."""


def _seeds(seed: int) -> Iterator[int]:
    source = np.random.default_rng(seed)
    while True:
        yield int(source.integers(2**31))


def _leaky(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(x, LEAK)


class Network(keras.Model):
    """A network with its number of classes and the seeds of its initial weights."""

    def __init__(self, widths: Sequence[int], num_classes: int, *, seed: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.widths = tuple(widths)
        self.num_classes = num_classes
        self.seeds = _seeds(seed)

    def kernels_spread_once(self) -> contextlib.AbstractContextManager[None]:
        """Does nothing; samplers call it on every generator."""
        return contextlib.nullcontext()

    def one_hot(self, label_ids: tf.Tensor) -> tf.Tensor:
        """int[n] to float32[n, num_classes]."""
        return tf.one_hot(label_ids, self.num_classes)

    def normal(self) -> keras.initializers.Initializer:
        """Normal(0, 0.02) (Radford et al. 2016, section 4)."""
        return keras.initializers.RandomNormal(stddev=0.02, seed=next(self.seeds))

    def glorot(self, gain: float = 1.0) -> keras.initializers.Initializer:
        """Uniform, variance gain^2 * 2 / (fan in + fan out)."""
        return keras.initializers.VarianceScaling(
            gain**2, mode="fan_avg", distribution="uniform", seed=next(self.seeds)
        )


class DCGenerator(Network):
    """Dense to 4x4, then transposed 4x4 convolutions, batch normalised; tanh."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.latent_dim = LATENT_DIM
        self.image_size = 4 * 2 ** len(self.widths)
        policy = self.dtype_policy
        self.first = layers.Dense(
            16 * self.widths[0], use_bias=False, kernel_initializer=self.normal(), dtype=policy
        )
        self.norms = [
            layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype=policy)
            for _ in self.widths
        ]
        self.ups = [self._up(width, False, policy) for width in self.widths[1:]]
        self.to_rgb = self._up(3, True, "float32")
        self((tf.zeros([1, LATENT_DIM]), tf.zeros([1], tf.int32)))

    def _up(self, width: int, use_bias: bool, policy: Any) -> layers.Layer:
        return layers.Conv2DTranspose(
            width,
            4,
            strides=2,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=self.normal(),
            dtype=policy,
        )

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the module."""
        latents, label_ids = inputs
        one_hot = tf.cast(self.one_hot(label_ids), latents.dtype)
        x = self.first(tf.concat([latents, one_hot], axis=-1))
        x = tf.reshape(x, [-1, 4, 4, self.widths[0]])
        x = _leaky(self.norms[0](x, training=training))
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            x = _leaky(norm(up(x), training=training))
        return tf.tanh(self.to_rgb(x))


class DCDiscriminator(Network):
    """Strided 4x4 convolutions on image and constant label maps, then one dense unit."""

    def __init__(
        self, widths: Sequence[int], image_size: int, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(widths, *arguments, **options)
        self.downs = [
            layers.Conv2D(
                width,
                4,
                strides=2,
                padding="same",
                kernel_initializer=self.normal(),
                dtype=self.dtype_policy,
            )
            for width in self.widths
        ]
        self.flatten = layers.Flatten(dtype="float32")
        self.head = layers.Dense(1, kernel_initializer=self.normal(), dtype="float32")
        self((tf.zeros([1, image_size, image_size, 3]), tf.zeros([1], tf.int32)))

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the module; `training` changes nothing."""
        del training
        images, label_ids = inputs
        maps = tf.cast(self.one_hot(label_ids), images.dtype)[:, None, None, :]
        shape = [tf.shape(images)[0], images.shape[1], images.shape[2], self.num_classes]
        x = tf.concat([images, tf.broadcast_to(maps, shape)], axis=-1)
        for down in self.downs:
            x = _leaky(down(x))
        return self.head(self.flatten(x))[:, 0]


class ConditionalNorm(layers.Layer):
    """Batch normalisation with a scale and shift of each class (Dumoulin et al. 2017, eq. 5).

    Norm and affine map are one multiplication and one addition a pixel, the fastest way on a CPU.
    Call with (x: [n, height, width, channels], one_hot: float32[n, classes]).
    """

    def build(self, input_shape: Any) -> None:
        """Makes tables and moving statistics."""
        shape, (_, classes) = input_shape
        channels = shape[-1]

        def weight(name: str, start: str, *shape: int, trainable: bool) -> keras.Variable:
            return self.add_weight(
                shape=shape,
                initializer=start,
                name=name,
                dtype="float32",
                trainable=trainable,
                autocast=False,
            )

        self.scale = weight("scale", "ones", classes, channels, trainable=True)
        self.shift = weight("shift", "zeros", classes, channels, trainable=True)
        self.moving_mean = weight("moving_mean", "zeros", channels, trainable=False)
        self.moving_variance = weight("moving_variance", "ones", channels, trainable=False)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the class."""
        x, one_hot = inputs
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training:
            mean, variance = tf.nn.moments(tf.cast(x, tf.float32), axes=[0, 1, 2])
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(MOMENTUM * moving.value + (1 - MOMENTUM) * now)
        one_hot = tf.cast(one_hot, tf.float32)
        factor = one_hot @ self.scale.value * tf.math.rsqrt(variance + EPSILON)
        summand = one_hot @ self.shift.value - mean * factor
        factor, summand = tf.cast(factor, x.dtype), tf.cast(summand, x.dtype)
        return x * factor[:, None, None, :] + summand[:, None, None, :]


class SNGenerator(Network):
    """Dense to 4x4, residual blocks that double the resolution, norm, 3x3 convolution, tanh.

    Block: norm, ReLU, nearest upsampling, 3x3, norm, ReLU, 3x3; shortcut: upsampling and 1x1.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.latent_dim = LATENT_DIM
        self.image_size = 4 * 2 ** (len(self.widths) - 1)
        policy = self.dtype_policy
        self.first = layers.Dense(
            16 * self.widths[0], kernel_initializer=self.glorot(), dtype=policy
        )
        root = 2**0.5
        self.norms = [ConditionalNorm(dtype=policy) for _ in range(2 * len(self.widths) - 2)]
        self.convolutions = [
            self._convolution(width, 3, root, policy) for w in self.widths[1:] for width in (w, w)
        ]
        self.shortcuts = [self._convolution(w, 1, 1.0, policy) for w in self.widths[1:]]
        self.last_norm = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype=policy)
        self.to_rgb = self._convolution(3, 3, 1.0, "float32")
        self((tf.zeros([1, LATENT_DIM]), tf.zeros([1], tf.int32)))

    def _convolution(self, width: int, side: int, gain: float, policy: Any) -> layers.Layer:
        return layers.Conv2D(
            width, side, padding="same", kernel_initializer=self.glorot(gain), dtype=policy
        )

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the module."""
        latents, label_ids = inputs
        one_hot = self.one_hot(label_ids)
        x = tf.reshape(self.first(latents), [-1, 4, 4, self.widths[0]])
        for block, shortcut in enumerate(self.shortcuts):
            (norm_1, norm_2), (conv_1, conv_2) = (
                every[2 * block : 2 * block + 2] for every in (self.norms, self.convolutions)
            )
            h = tf.nn.relu(norm_1((x, one_hot), training=training))
            h = tf.nn.relu(norm_2((conv_1(_double(h)), one_hot), training=training))
            # A 1x1 convolution and nearest upsampling commute, and small images are cheap.
            x = conv_2(h) + _double(shortcut(x))
        x = tf.nn.relu(self.last_norm(x, training=training))
        return tf.tanh(self.to_rgb(x))


def _double(x: tf.Tensor) -> tf.Tensor:
    """Nearest upsampling by two."""
    _, height, width, channels = x.shape
    x = tf.broadcast_to(x[:, :, None, :, None, :], [tf.shape(x)[0], height, 2, width, 2, channels])
    return tf.reshape(x, [-1, 2 * height, 2 * width, channels])


def _halve(x: tf.Tensor) -> tf.Tensor:
    """Average pooling by two."""
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


class SpectralKernel(layers.Layer):
    """A kernel divided by an estimate of its largest singular value.

    The kernel is a matrix [all but the last axis, last axis]. One power iteration from the stored
    right singular vector gives the estimate, without gradient through the vectors (Miyato et al.
    2018, algorithm 1).
    """

    def __init__(
        self, shape: tuple[int, ...], initializer: keras.initializers.Initializer, seed: int
    ) -> None:
        super().__init__(dtype="float32")
        options = {"dtype": "float32", "autocast": False}
        self.kernel = self.add_weight(
            shape=shape, initializer=initializer, name="kernel", **options
        )
        self.vector = self.add_weight(
            shape=(1, shape[-1]),
            initializer=keras.initializers.RandomNormal(seed=seed),
            trainable=False,
            name="vector",
            **options,
        )
        self.built = True

    def normalised(self, training: bool) -> tf.Tensor:
        """float32 of the kernel's shape; training stores the vector."""
        kernel = self.kernel.value
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        left = tf.math.l2_normalize(tf.matmul(self.vector.value, matrix, transpose_b=True))
        right = tf.math.l2_normalize(left @ matrix)
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        if training:
            self.vector.assign(right)
        return kernel / tf.reduce_sum(left @ matrix * right)


class SpectralConvolution(layers.Layer):
    """A convolution with bias and a spectrally normalised kernel: [n, h, w, c] to [n, h, w, d]."""

    def __init__(self, network: Network, side: int, inputs: int, outputs: int, gain: float) -> None:
        super().__init__(dtype=network.dtype_policy)
        shape = (side, side, inputs, outputs)
        self.spectral = SpectralKernel(shape, network.glorot(gain), next(network.seeds))
        self.bias = self.add_weight(
            shape=(outputs,), initializer="zeros", dtype="float32", name="bias"
        )
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See the class."""
        kernel = tf.cast(self.spectral.normalised(training), x.dtype)
        return tf.nn.conv2d(x, kernel, 1, "SAME") + tf.cast(self.bias, x.dtype)


class DownBlock(layers.Layer):
    """ReLU, 3x3, ReLU, 3x3, pooling; shortcut: 1x1 and pooling. The first has no first ReLU."""

    def __init__(
        self, network: Network, inputs: int, outputs: int, *, first: bool, down: bool
    ) -> None:
        super().__init__(dtype=network.dtype_policy)
        self.first, self.down = first, down
        hidden = outputs if first else inputs
        root = 2**0.5
        self.conv_1 = SpectralConvolution(network, 3, inputs, hidden, root)
        self.conv_2 = SpectralConvolution(network, 3, hidden, outputs, root)
        learnt = down or inputs != outputs
        self.shortcut = SpectralConvolution(network, 1, inputs, outputs, 1.0) if learnt else None
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See the class."""
        h = self.conv_1(x if self.first else tf.nn.relu(x), training=training)
        h = self.conv_2(tf.nn.relu(h), training=training)
        if self.down:
            # Pooling and a 1x1 convolution commute, and small images are cheap.
            h, x = _halve(h), _halve(x)
        return h + (x if self.shortcut is None else self.shortcut(x, training=training))


class SNDiscriminator(Network):
    """Residual blocks, ReLU, sum over pixels, projection head; the last block keeps its size."""

    def __init__(
        self, widths: Sequence[int], image_size: int, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(widths, *arguments, **options)
        last = len(self.widths) - 1
        self.blocks = [
            DownBlock(self, inputs, outputs, first=i == 0, down=i < last)
            for i, (inputs, outputs) in enumerate(
                zip((3, *self.widths[:-1]), self.widths, strict=True)
            )
        ]
        features = self.widths[-1]
        self.linear = SpectralKernel((features, 1), self.glorot(), next(self.seeds))
        self.projection = SpectralKernel(
            (self.num_classes, features), self.glorot(), next(self.seeds)
        )
        self.bias = self.add_weight(
            shape=(1,), initializer="zeros", dtype="float32", autocast=False, name="bias"
        )
        self((tf.zeros([1, image_size, image_size, 3]), tf.zeros([1], tf.int32)))

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the module; training does one power iteration."""
        x, label_ids = inputs
        x = tf.cast(x, self.compute_dtype)
        for block in self.blocks:
            x = block(x, training=training)
        h = tf.reduce_sum(tf.cast(tf.nn.relu(x), tf.float32), axis=[1, 2])
        embedded = self.one_hot(label_ids) @ self.projection.normalised(training)
        linear = (h @ self.linear.normalised(training))[:, 0] + self.bias.value
        return linear + tf.reduce_sum(h * embedded, axis=-1)
