"""What a generator answers when it is served: labels and seeds in, images out.

`Sampler` is the one home of how a seed becomes a latent and a float an 8-bit value. Both the
library (`ConditionalGAN.generate`) and the SavedModel run its functions, and so agree.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from skin_synth.saved_model.int64 import as_int64
from tfrecords_tools.errors import InputError

CHUNK = 16
"""Rows that the generator paints at a time.

Convolutions of another batch size may add in another order, and a last bit can tip a rounded
value: docs/serving.md has figures. All rows go through the generator in chunks of this size, the
last one filled up, so that an image is the same alone and in any batch.
"""
AT_A_TIME = 4
"""Chunks that may be painted at a time: 64 rows keep several cores as busy as one batch of them."""
SHOWN = 3
"""Values that an error quotes of those it received."""
SHOWN_BYTES = 64
"""Bytes that an error quotes of a label."""


class Sampler(tf.Module):
    """The three signatures of a generator; a row depends on its own values only.

    Attributes:
        generator: paints float32[n, h, w, 3] in [-1, 1] from (latents, label ids), in float32.
        class_names: in the order of the labels.
    """

    def __init__(
        self,
        generator: keras.Model,
        class_names: Sequence[str],
        *,
        labels_file: str | os.PathLike[str] | None = None,
    ) -> None:
        """Wraps a generator.

        Args:
            generator: float32 network, a `models.networks.Generator` or one with its attributes
                `latent_dim` and `image_size` and its `kernels_spread_once`.
            class_names: in the order of the labels.
            labels_file: the same names, one per line, for a sampler that is to be saved: its table
                reads this file, which becomes an asset of the SavedModel.

        Raises:
            InputError: no class, a name that occurs twice, or one of several lines.
        """
        super().__init__(name="sampler")
        self.generator = generator
        self.class_names = _checked(class_names)
        self.table = tf.lookup.StaticHashTable(
            _ids_of(self.class_names) if labels_file is None else _ids_by_line(labels_file),
            default_value=-1,
        )
        size, rows = generator.image_size, [None]
        integers, floats = tf.TensorSpec(rows, tf.int64), tf.TensorSpec(rows, tf.float32)
        self.image_shape = (size, size, 3)
        self.serving_default = tf.function(
            self._serving_default,
            autograph=False,
            input_signature=[
                tf.TensorSpec(rows, tf.string, name="label"),
                tf.TensorSpec(rows, tf.int64, name="seed"),
            ],
        )
        self.generate = tf.function(
            self._generate,
            autograph=False,
            input_signature=[
                _named(integers, "label_id"),
                _named(integers, "seed"),
                _named(floats, "truncation"),
            ],
        )
        self.from_latent = tf.function(
            self._from_latent,
            autograph=False,
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
        return paint_rows(
            self.generate,
            self.image_shape,
            len(self.class_names),
            label_ids,
            seeds,
            truncation=truncation,
            batch_size=batch_size,
        )

    def _serving_default(self, label: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """PNGs by class name: label string[N], seed int64[N] -> image_bytes, label_id."""
        label, seed = _ranked(label, 1), _ranked(seed, 1)
        label, seed = _after([_assert_rows(label=label, seed=seed)], label, seed)
        label_id = self.table.lookup(label)
        shown = tf.strings.substr(label, 0, SHOWN_BYTES)
        label_id, seed = _after([self._assert_known(label_id, shown)], label_id, seed)
        image = self._generate(label_id, seed, tf.ones_like(seed, tf.float32))["image"]
        image_bytes = tf.map_fn(tf.io.encode_png, image, fn_output_signature=tf.string)
        return {"image_bytes": image_bytes, "label_id": label_id}

    def _generate(
        self, label_id: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Images by label id, seed and truncation -> image uint8[N, h, w, 3]."""
        label_id, seed, truncation = (_ranked(each, 1) for each in (label_id, seed, truncation))
        checks = [
            _assert_rows(label_id=label_id, seed=seed, truncation=truncation),
            _assert_finite(truncation, "truncation"),
        ]
        seed, truncation = _after(checks, seed, truncation)
        return self._from_latent(self.latents(seed) * truncation[:, None], label_id)

    def _from_latent(self, latent: tf.Tensor, label_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Images by latent and label id -> image uint8[N, h, w, 3]."""
        latent, label_id = _ranked(latent, 2), _ranked(label_id, 1)
        checks = [
            _assert_rows(latent=latent, label_id=label_id),
            _assert_finite(latent, "latent"),
            self._assert_known(label_id, label_id),
        ]
        return {"image": self._paint(*_after(checks, latent, label_id))}

    def latents(self, seed: tf.Tensor) -> tf.Tensor:
        """Standard normal latents, one per seed: int64[N] -> float32[N, latent_dim].

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

        with self.generator.kernels_spread_once():
            images = tf.map_fn(
                paint,
                (latent, label_id),
                parallel_iterations=AT_A_TIME,
                fn_output_signature=tf.TensorSpec([CHUNK, *self.image_shape], tf.uint8),
            )
        return tf.reshape(images, [chunks * CHUNK, *self.image_shape])[:count]

    def _assert_known(self, label_id: tf.Tensor, received: tf.Tensor) -> tf.Operation:
        """Refuses ids that no class has, and quotes what was received for them."""
        known = (label_id >= 0) & (label_id < len(self.class_names))
        # One string: Assert prints three items only.
        message = (
            f"unknown label: known are {', '.join(self.class_names)} "
            f"(label_id 0 to {len(self.class_names) - 1}); got"
        )
        unknown = tf.boolean_mask(received, ~known)
        return tf.debugging.Assert(tf.reduce_all(known), [message, unknown], summarize=SHOWN)


def paint_rows(
    generate: Callable[..., Mapping[str, tf.Tensor]],
    image_shape: tuple[int, int, int],
    num_classes: int,
    label_ids: Sequence[int] | np.ndarray,
    seeds: Sequence[int] | np.ndarray,
    *,
    truncation: float,
    batch_size: int,
) -> np.ndarray:
    """Calls a `generate` signature batch by batch; see `ConditionalGAN.generate`.

    Args:
        generate: takes label_id int64[n], seed int64[n] and truncation float32[n] by name, gives
            image uint8[n, h, w, 3].
        image_shape: (h, w, 3).
        num_classes: label ids are below it.
        label_ids: int[n].
        seeds: int[n].
        truncation: factor of the latents.
        batch_size: rows of a call.

    Returns:
        uint8[n, h, w, 3].

    Raises:
        InputError: a label out of range, lengths that differ, or a truncation that is not finite.
    """
    label_ids, seeds = as_int64(label_ids, "label_ids"), as_int64(seeds, "seeds")
    if label_ids.ndim != 1 or label_ids.shape != seeds.shape:
        raise InputError(
            f"label_ids and seeds must be two vectors of one length, got shapes "
            f"{label_ids.shape} and {seeds.shape}"
        )
    if len(label_ids) and not (label_ids.min() >= 0 and label_ids.max() < num_classes):
        raise InputError(
            f"label ids must be in [0, {num_classes}), got {label_ids.min()} to {label_ids.max()}"
        )
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    if not np.isfinite(truncation):
        raise InputError(f"truncation must be finite, got {truncation}")
    images = np.empty((len(label_ids), *image_shape), np.uint8)
    for start in range(0, len(label_ids), batch_size):
        rows = slice(start, start + batch_size)
        images[rows] = generate(
            label_id=tf.constant(label_ids[rows]),
            seed=tf.constant(seeds[rows]),
            truncation=tf.fill([len(label_ids[rows])], np.float32(truncation)),
        )["image"]
    return images


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Values of [-1, 1] to the nearest of 0 to 255; what lies outside is clipped."""
    return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


def _checked(class_names: Sequence[str]) -> tuple[str, ...]:
    names = tuple(class_names)
    if not names:
        raise InputError("a sampler needs class names, got none")
    if len(set(names)) < len(names):
        raise InputError(f"class names must differ, got {names}")
    if broken := [name for name in names if "\n" in name]:
        raise InputError(f"a class name must be one line, for labels.txt; got {broken[0]!r}")
    return names


def _ids_of(class_names: tuple[str, ...]) -> tf.lookup.KeyValueTensorInitializer:
    ids = tf.range(len(class_names), dtype=tf.int64)
    return tf.lookup.KeyValueTensorInitializer(tf.constant(class_names), ids)


class _NamedByContent(tf.lookup.TextFileInitializer):
    """Names the table in the saved graph by what is in the file.

    By default the name holds the path of the file, which is nobody's business; and tables of one
    name are one table in a process, so that it has to differ where the classes do.
    """

    @property
    def _shared_name(self) -> str:
        content = tf.io.read_file(self._filename_arg).numpy()
        return f"labels_{hashlib.sha256(content).hexdigest()[:16]}"


def _ids_by_line(path: str | os.PathLike[str]) -> tf.lookup.TextFileInitializer:
    return _NamedByContent(
        os.fspath(path),
        key_dtype=tf.string,
        key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
    )


def _after(checks: Sequence[tf.Operation], *values: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The values, once the checks have passed: what is computed from them waits."""
    with tf.control_dependencies(checks):
        return tuple(tf.identity(value) for value in values)


def _ranked(values: tf.Tensor, rank: int) -> tf.Tensor:
    """Refuses another rank: the C++ session, unlike Python's, feeds tensors of any shape."""
    return tf.ensure_shape(values, [None, *values.shape[1:rank]])


def _assert_rows(**inputs: tf.Tensor) -> tf.Operation:
    """Refuses no row, and inputs of different numbers of rows: a single one would be stretched."""
    rows = tf.stack([tf.shape(values)[0] for values in inputs.values()])
    message = f"{', '.join(inputs)} must have at least one row and the same number of rows; got"
    fit = tf.reduce_all(rows == rows[0]) & (rows[0] > 0)
    return tf.debugging.Assert(fit, [message, rows], summarize=SHOWN)


def _assert_finite(values: tf.Tensor, name: str) -> tf.Operation:
    finite = tf.reduce_all(tf.math.is_finite(values))
    return tf.debugging.Assert(finite, [f"{name} must be finite, got NaN or infinity"])


def _named(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, spec.dtype, name=name)
