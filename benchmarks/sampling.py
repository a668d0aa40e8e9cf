"""Images a second: the SavedModel against `generator.predict` and the plain generator call.

All generate the same batches in turn, `--repeats` times, in one process; the table has the medians.
PNG encoding is timed separately. Untrained weights are as fast as trained ones.

    python -m benchmarks.sampling --preset derm-64 --batch 64
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.models.gan import ConditionalGAN
from skin_synth.saved_model.export import export
from skin_synth.saved_model.sampler import to_uint8

CLASSES = 7
PLAIN = "plain generator call"


def main() -> None:
    """Prints images per second of each way, and its ratio to the plain call."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--preset", default="derm-64")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=5, help="in each round")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    gan = ConditionalGAN(options.preset, [f"class {n}" for n in range(CLASSES)])
    with tempfile.TemporaryDirectory() as scratch:
        ways = _ways(gan, export(gan, Path(scratch, "model")), options.batch)
        for generate_batch in ways.values():  # traces, and fills caches
            generate_batch()
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, generate_batch in ways.items():
                start = time.perf_counter()
                for _ in range(options.batches):
                    generate_batch()
                seconds = time.perf_counter() - start
                rates[name].append(options.batch * options.batches / seconds)
    plain = statistics.median(rates[PLAIN])
    print(f"{options.preset}, batch {options.batch}, median of {options.repeats}")
    for name, found in rates.items():
        rate = statistics.median(found)
        print(f"{name:24} {rate:8.1f} images/s  {rate / plain:5.2f}")


def _ways(gan: ConditionalGAN, version: Path, batch: int) -> dict[str, Callable[[], object]]:
    """The timed functions, by name; each generates or encodes one batch."""
    model = tf.saved_model.load(str(version))
    generate, by_name = model.signatures["generate"], model.signatures["serving_default"]
    rng = np.random.default_rng(0)
    latents = tf.constant(rng.standard_normal((batch, gan.latent_dim)), tf.float32)
    ids = tf.constant(np.arange(batch) % CLASSES, tf.int64)
    seeds, ones = tf.range(batch, dtype=tf.int64), tf.ones([batch])
    labels = tf.constant([f"class {n}" for n in np.arange(batch) % CLASSES])
    plain = tf.function(lambda: to_uint8(gan.ema_generator((latents, ids), training=False)))
    generated = plain()

    @tf.function
    def encode() -> tf.Tensor:
        return tf.map_fn(tf.io.encode_png, generated, fn_output_signature=tf.string)

    def predict() -> np.ndarray:
        return gan.ema_generator.predict((latents, ids), batch_size=batch, verbose=0)

    return {
        PLAIN: lambda: plain().numpy(),
        "generator.predict": predict,
        "SavedModel, generate": lambda: generate(label_id=ids, seed=seeds, truncation=ones)[
            "image"
        ].numpy(),
        "SavedModel, PNG": lambda: by_name(label=labels, seed=seeds)["image_bytes"].numpy(),
        "PNG encoding alone": lambda: encode().numpy(),
    }


if __name__ == "__main__":
    main()
