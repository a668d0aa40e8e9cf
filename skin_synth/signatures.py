"""What a generator answers when it is served: labels and seeds in, images out.

`Sampler` is the one home of how a seed becomes a latent and a float an 8-bit value. Both the
library (`ConditionalGAN.generate`) and the SavedModel run its functions, and so agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfrecords_tools.errors import InputError

CHUNK = 16
"""Rows that the generator paints at a time.

Convolutions of another batch size may add in another order, and a last bit can tip a rounded
value. All rows go through the generator in chunks of this size, the last one filled up, so that an
image is the same alone and in any batch.
"""


class Sampler(tf.Module):
    """The three signatures of a generator; a row depends on its own values only.

    Attributes:
        generator: paints float32[n, h, w, 3] in [-1, 1] from (latents, label ids), in float32.
        class_names: in the order of the labels.
    """

    def __init__(self, generator: keras.Model, class_names: Sequence[str]) -> None:
        """Wraps a generator.

        Args:
            generator: float32 network with attributes `latent_dim` and `image_size`.
            class_names: in the order of the labels.

        Raises:
            InputError: no class.
        """
        super().__init__(name="sampler")
        if not class_names:
            raise InputError("a sampler needs class names, got none")
        self.generator = generator
        self.class_names = tuple(class_names)
        self._known = ", ".join(self.class_names)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.class_names), tf.range(len(self.class_names), dtype=tf.int64)
            ),
            default_value=-1,
        )
        size, rows = generator.image_size, [None]
        integers, floats = tf.TensorSpec(rows, tf.int64), tf.TensorSpec(rows, tf.float32)
        self.image_shape = (size, size, 3)
        self.serving_default = tf.function(
            self._serving_default,
            input_signature=[
                tf.TensorSpec(rows, tf.string, name="label"),
                tf.TensorSpec(rows, tf.int64, name="seed"),
            ],
        )
        self.generate = tf.function(
            self._generate,
            input_signature=[
                _named(integers, "label_id"),
                _named(integers, "seed"),
                _named(floats, "truncation"),
            ],
        )
        self.from_latent = tf.function(
            self._from_latent,
            input_signature=[
                tf.TensorSpec([None, generator.latent_dim], tf.float32, name="latent"),
                _named(integers, "label_id"),
            ],
        )

    def sample(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Paints images from Python; see `ConditionalGAN.generate`."""
        label_ids, seeds = np.asarray(label_ids, np.int64), np.asarray(seeds, np.int64)
        if label_ids.ndim != 1 or label_ids.shape != seeds.shape:
            raise InputError(
                f"label_ids and seeds must be two vectors of one length, got shapes "
                f"{label_ids.shape} and {seeds.shape}"
            )
        if len(label_ids) and not (
            label_ids.min() >= 0 and label_ids.max() < len(self.class_names)
        ):
            raise InputError(
                f"label ids must be in [0, {len(self.class_names)}), "
                f"got {label_ids.min()} to {label_ids.max()}"
            )
        if not np.isfinite(truncation):
            raise InputError(f"truncation must be finite, got {truncation}")
        images = np.empty((len(label_ids), *self.image_shape), np.uint8)
        for start in range(0, len(label_ids), batch_size):
            rows = slice(start, start + batch_size)
            factors = np.full(len(label_ids[rows]), truncation, np.float32)
            images[rows] = self.generate(label_ids[rows], seeds[rows], factors)["image"]
        return images

    def _serving_default(self, label: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """PNGs by class name: label string[N], seed int64[N] -> image_bytes, label_id."""
        label_id = self.table.lookup(label)
        with tf.control_dependencies([self._assert_known(label_id)]):
            factors = tf.ones_like(seed, tf.float32)
        image = self._generate(label_id, seed, factors)["image"]
        image_bytes = tf.map_fn(tf.io.encode_png, image, fn_output_signature=tf.string)
        return {"image_bytes": image_bytes, "label_id": label_id}

    def _generate(
        self, label_id: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Images by label id, seed and truncation -> image uint8[N, h, w, 3]."""
        with tf.control_dependencies([_assert_finite(truncation, "truncation")]):
            latent = self.latents(seed) * truncation[:, None]
        return self._from_latent(latent, label_id)

    def _from_latent(self, latent: tf.Tensor, label_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images by latent and label id -> image uint8[N, h, w, 3]."""
        checks = [_assert_finite(latent, "latent"), self._assert_known(label_id)]
        with tf.control_dependencies(checks):
            latent, label_id = tf.identity(latent), tf.identity(label_id)
        return {"image": self._paint(latent, label_id)}

    def latents(self, seed: tf.Tensor) -> tf.Tensor:
        """Standard normal latents, one a seed: int64[N] -> float32[N, latent_dim].

        Philox, keyed by the seed of the row alone and shared across labels.
        """
        shape = [self.generator.latent_dim]

        def latent(one: tf.Tensor) -> tf.Tensor:
            return tf.random.stateless_normal(
                shape, tf.stack([one, tf.zeros_like(one)]), alg="philox"
            )

        return tf.map_fn(latent, seed, fn_output_signature=tf.TensorSpec(shape, tf.float32))

    def _paint(self, latent: tf.Tensor, label_id: tf.Tensor) -> tf.Tensor:
        """All rows, in chunks of one size."""
        count = tf.shape(latent)[0]
        chunks = -(-count // CHUNK)
        missing = chunks * CHUNK - count
        latent_dim = self.generator.latent_dim
        latent = tf.reshape(tf.pad(latent, [[0, missing], [0, 0]]), [chunks, CHUNK, latent_dim])
        label_id = tf.reshape(tf.pad(label_id, [[0, missing]]), [chunks, CHUNK])

        def paint(rows: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return to_uint8(self.generator(rows, training=False))

        images = tf.map_fn(
            paint,
            (latent, label_id),
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec([CHUNK, *self.image_shape], tf.uint8),
        )
        return tf.reshape(images, [chunks * CHUNK, *self.image_shape])[:count]

    def _assert_known(self, label_id: tf.Tensor) -> tf.Operation:
        known = (label_id >= 0) & (label_id < len(self.class_names))
        # One string: Assert prints three items only.
        message = (
            f"unknown label: known are {self._known} (label_id 0 to {len(self.class_names) - 1})"
        )
        return tf.debugging.Assert(tf.reduce_all(known), [message])


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Values of [-1, 1] to the nearest of 0 to 255; what lies outside is clipped."""
    return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


def _assert_finite(values: tf.Tensor, name: str) -> tf.Operation:
    finite = tf.reduce_all(tf.math.is_finite(values))
    return tf.debugging.Assert(finite, [f"{name} must be finite, got NaN or infinity"])


def _named(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, spec.dtype, name=name)
