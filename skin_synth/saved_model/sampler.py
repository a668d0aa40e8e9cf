"""The signatures of a generator: labels and seeds in, images out.

The library (`ConditionalGAN.generate`) and the SavedModel run the same functions, so their images
agree.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.saved_model.int64 import as_int64
from skin_synth.saved_model.labels import table_name
from skin_synth.saved_model.process import TRACING, check_not_forked
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.png_file import HEAD_END
from tfrecords_tools.images.synthetic_mark import SYNTHETIC_CHUNK

ROWS_PER_CHUNK = 16
"""Rows that the generator processes at a time.

Convolutions of another batch size may add in another order, and the last bit can change a rounded
value (figures in docs/serving.md). So all rows are processed in chunks of this size; the last chunk
is padded. Thus an image is the same alone and in any batch.
"""
PARALLEL_CHUNKS = 4
"""Chunks processed in parallel: 64 rows in chunks use several cores as well as one batch."""
QUOTED_VALUES = 3
QUOTED_LABEL_BYTES = 64
"""An error quotes at most this many received values, and this many bytes of a label."""


class Sampler(tf.Module):
    """The three signatures of a generator; each row depends only on its own values.

    Attributes:
        generator: maps (latents, label ids) to float32[n, h, w, 3] in [-1, 1].
        class_names: in the order of the labels.
        table: string[n] class names to int64[n] label ids, -1 for an unknown name.
        image_shape: (h, w, 3).
    """

    def __init__(
        self,
        generator: keras.Model,
        class_names: Sequence[str],
        *,
        labels_file: str | os.PathLike[str] | None = None,
    ) -> None:
        """Wraps a `models.networks.Generator`.

        To save the sampler, `labels_file` must have the class names, one per line. The table reads
        it, and it becomes an asset of the SavedModel.

        Raises:
            InputError: no class, a name that occurs twice, or a name with a line break.
        """
        super().__init__(name="sampler")
        self.generator = generator
        self.class_names = _checked(class_names)
        ids = tf.range(len(self.class_names), dtype=tf.int64)
        names_and_ids = (
            tf.lookup.KeyValueTensorInitializer(tf.constant(self.class_names), ids)
            if labels_file is None
            else _LabelsFile(labels_file)
        )
        self.table = tf.lookup.StaticHashTable(names_and_ids, default_value=-1)
        self.image_shape = (generator.image_size, generator.image_size, 3)
        label, latent = _rows("label", tf.string), _rows("latent", tf.float32, generator.latent_dim)
        label_id, seed = _rows("label_id", tf.int64), _rows("seed", tf.int64)
        truncation = _rows("truncation", tf.float32)
        signature = functools.partial(tf.function, autograph=False)
        self.serving_default = signature(self._serving_default, input_signature=[label, seed])
        self.generate = signature(self._generate, input_signature=[label_id, seed, truncation])
        self.from_latent = signature(self._from_latent, input_signature=[latent, label_id])

    def sample(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Generates images from Python; see `ConditionalGAN.generate`."""
        with TRACING:
            generate = self.generate.get_concrete_function()  # traced by the first call
        return generate_rows(
            generate,
            self.image_shape,
            len(self.class_names),
            label_ids,
            seeds,
            truncation=truncation,
            batch_size=batch_size,
        )

    def _serving_default(self, label: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Generates PNGs by class name: label string[N], seed int64[N] -> image_bytes, label_id."""
        label, seed = _ranked(label, 1), _ranked(seed, 1)
        label, seed = _after([_assert_rows(label=label, seed=seed)], label, seed)
        label_id = self.table.lookup(label)
        quoted = tf.strings.substr(label, 0, QUOTED_LABEL_BYTES)
        label_id, seed = _after([self._assert_known(label_id, quoted)], label_id, seed)
        image = self._generate(label_id, seed, tf.ones_like(seed, tf.float32))["image"]
        image_bytes = tf.map_fn(_marked_png, image, fn_output_signature=tf.string)
        return {"image_bytes": image_bytes, "label_id": label_id}

    def _generate(
        self, label_id: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Generates images by label id, seed and truncation -> image uint8[N, h, w, 3]."""
        label_id, seed, truncation = (_ranked(each, 1) for each in (label_id, seed, truncation))
        checks = [
            _assert_rows(label_id=label_id, seed=seed, truncation=truncation),
            _assert_finite(truncation, "truncation"),
        ]
        seed, truncation = _after(checks, seed, truncation)
        return self._from_latent(self.latents(seed) * truncation[:, None], label_id)

    def _from_latent(self, latent: tf.Tensor, label_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Generates images by latent and label id -> image uint8[N, h, w, 3]."""
        latent, label_id = _ranked(latent, 2), _ranked(label_id, 1)
        checks = [
            _assert_rows(latent=latent, label_id=label_id),
            _assert_finite(latent, "latent"),
            self._assert_known(label_id, label_id),
        ]
        return {"image": self._in_chunks(*_after(checks, latent, label_id))}

    def latents(self, seed: tf.Tensor) -> tf.Tensor:
        """Draws standard normal latents, one per seed: int64[N] -> float32[N, latent_dim].

        The generator is Philox with the seed of the row as its key; all labels share the latent of
        a seed.
        """
        shape = [self.generator.latent_dim]

        def latent(seed: tf.Tensor) -> tf.Tensor:
            key = tf.stack([seed, tf.zeros_like(seed)])
            return tf.random.stateless_normal(shape, key, alg="philox")

        return tf.map_fn(latent, seed, fn_output_signature=tf.TensorSpec(shape, tf.float32))

    def _in_chunks(self, latent: tf.Tensor, label_id: tf.Tensor) -> tf.Tensor:
        """Generates all rows in chunks of one size."""
        count, size = tf.shape(latent)[0], ROWS_PER_CHUNK
        chunks = (count + size - 1) // size  # no negative number, which ONNX rounds towards 0
        missing = chunks * size - count
        latent_dim = self.generator.latent_dim
        latent = tf.reshape(tf.pad(latent, [[0, missing], [0, 0]]), [chunks, size, latent_dim])
        label_id = tf.reshape(tf.pad(label_id, [[0, missing]]), [chunks, size])

        def generate_chunk(rows: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return to_uint8(self.generator(rows, training=False))

        with self.generator.kernels_spread_once():
            images = tf.map_fn(
                generate_chunk,
                (latent, label_id),
                parallel_iterations=PARALLEL_CHUNKS,
                fn_output_signature=tf.TensorSpec([size, *self.image_shape], tf.uint8),
            )
        return tf.reshape(images, [chunks * size, *self.image_shape])[:count]

    def _assert_known(self, label_id: tf.Tensor, received: tf.Tensor) -> tf.Operation:
        """Refuses ids without a class, and quotes the received values."""
        known = (label_id >= 0) & (label_id < len(self.class_names))
        # One string, because Assert prints only three items.
        message = (
            f"unknown label: known are {', '.join(self.class_names)} "
            f"(label_id 0 to {len(self.class_names) - 1}); got"
        )
        quoted = [message, tf.boolean_mask(received, ~known)]
        return tf.debugging.Assert(tf.reduce_all(known), quoted, summarize=QUOTED_VALUES)


def generate_rows(
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

    The signature takes label_id int64[n], seed int64[n] and truncation float32[n] by name, and
    returns image uint8[n, *image_shape].

    Raises:
        InputError: a label out of range, lengths that differ, a truncation that is not finite, or
            a forked process.
    """
    check_not_forked()
    label_ids, seeds = as_int64(label_ids, "label_ids"), as_int64(seeds, "seeds")
    if label_ids.ndim != 1 or label_ids.shape != seeds.shape:
        raise InputError(
            f"label_ids and seeds must be two vectors of one length, got shapes "
            f"{label_ids.shape} and {seeds.shape}"
        )
    if len(label_ids) and (label_ids.min() < 0 or label_ids.max() >= num_classes):
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
        ids, factors = label_ids[rows], np.full(len(label_ids[rows]), truncation, np.float32)
        inputs = {"label_id": ids, "seed": seeds[rows], "truncation": factors}
        images[rows] = generate(**{name: tf.constant(v) for name, v in inputs.items()})["image"]
    return images


def _marked_png(image: tf.Tensor) -> tf.Tensor:
    """Encodes uint8[h, w, 3] as a PNG with IPTC's mark of a synthetic image behind its head."""
    png = tf.io.encode_png(image)
    head = tf.strings.substr(png, 0, HEAD_END)
    rest = tf.strings.substr(png, HEAD_END, tf.int32.max)
    return tf.strings.join([head, SYNTHETIC_CHUNK, rest])


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Maps [-1, 1] to the nearest of 0 to 255, and clips values outside."""
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


class _LabelsFile(tf.lookup.TextFileInitializer):
    """Labels by line number, in a table that the saved graph names by the content of the file.

    The default name contains the path of the file, which is private.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        super().__init__(os.fspath(path), tf.string, line, tf.int64, number)

    @property
    def _shared_name(self) -> str:  # private in TensorFlow, which has no option for the name
        return table_name(tf.io.read_file(self._filename_arg).numpy())


def _after(checks: Sequence[tf.Operation], *values: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns the values after the checks, so that all computations with them wait."""
    with tf.control_dependencies(checks):
        return tuple(tf.identity(value) for value in values)


def _ranked(values: tf.Tensor, rank: int) -> tf.Tensor:
    """Refuses another rank, because the C++ session, unlike Python's, accepts any shape."""
    return tf.ensure_shape(values, [None, *values.shape[1:rank]])


def _assert_rows(**inputs: tf.Tensor) -> tf.Operation:
    """Refuses zero rows and different numbers of rows, because a single row would be broadcast."""
    rows = tf.stack([tf.shape(values)[0] for values in inputs.values()])
    message = f"{', '.join(inputs)} must have at least one row and the same number of rows; got"
    fit = tf.reduce_all(rows == rows[0]) & (rows[0] > 0)
    return tf.debugging.Assert(fit, [message, rows], summarize=QUOTED_VALUES)


def _assert_finite(values: tf.Tensor, name: str) -> tf.Operation:
    finite = tf.reduce_all(tf.math.is_finite(values))
    return tf.debugging.Assert(finite, [f"{name} must be finite, got NaN or infinity"])


def _rows(name: str, dtype: tf.DType, *shape: int) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], dtype, name=name)
