"""Speed of one training step: images/s, GFLOPs, share of the machine's rate, waiting for data.

Takes two to three minutes on two cores. Prints one table; nothing is written.

    python -m benchmarks.step --data runs/data/ham64 --preset derm-64
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import tensorflow as tf
from tensorflow.python.profiler.model_analyzer import profile
from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

from skin_synth.data.pipeline import LabelledImages, batches, load_split
from skin_synth.models.gan import ConditionalGAN
from skin_synth.training.trainer import EPOCH_IMAGES

MATMUL_SIZE = 2048


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", required=True, help="data set directory of the preset's size")
    parser.add_argument("--preset", default="derm-64")
    parser.add_argument("--policy", default=None, help="Keras dtype policy (default: fast one)")
    parser.add_argument("--xla", action="store_true", help="compile the step with XLA")
    parser.add_argument("--repeats", type=int, default=7, help="windows; the median is quoted")
    parser.add_argument("--steps", type=int, default=40, help="steps in a window")
    options = parser.parse_args()

    split = load_split(options.data, "train")
    gan = ConditionalGAN(options.preset, split.class_names, policy=options.policy)
    gan.compile(jit_compile=options.xla)
    report(gan, split, repeats=options.repeats, steps=options.steps)


def report(gan: ConditionalGAN, split: LabelledImages, *, repeats: int, steps: int) -> None:
    """Prints the table of one configuration."""
    preset = gan.preset
    source = batches(split, batch_size=preset.batch_size, seed=0, exponent=preset.sampling_exponent)
    step = tf.function(gan.train_step, jit_compile=gan.jit_compile)
    iterator = iter(source)
    gflops = step_flops(step, next(iterator)) / preset.batch_size / 1e9
    for _ in range(5):
        step(next(iterator))
    windows, rates = [], []
    for _ in range(repeats):
        windows.append(window(step, iterator, steps))
        rates.append(matmul_rate(gan.generator.compute_dtype))
    speed = statistics.median(steps * preset.batch_size / total for total, _ in windows)
    fitted = fit_speed(gan, source)
    rate = statistics.median(rates)
    xla = ", XLA" if gan.jit_compile else ""
    print(f"preset                     {preset.name}, batch {preset.batch_size}, {gan.policy}{xla}")
    print(f"generator parameters       {gan.generator.count_params():,}")
    print(f"discriminator parameters   {gan.discriminator.count_params():,}")
    print(
        f"step, images/s             {speed:.0f}   (median of {repeats} windows of {steps} steps)"
    )
    print(f"fit with callbacks off     {fitted:.0f} images/s")
    print(f"GFLOPs per image           {gflops:.2f}   (convolutions and matrix products)")
    print(f"matrix-multiply rate       {rate:.0f} GFLOP/s   ({MATMUL_SIZE}^3, same dtype)")
    print(f"share of that rate         {100 * speed * gflops / rate:.0f} %")
    print(f"waiting for data           {100 * statistics.median(w / t for t, w in windows):.2f} %")


def window(step: Callable, iterator: Iterator, steps: int) -> tuple[float, float]:
    """Seconds of `steps` steps, and those of them spent waiting for the next batch."""
    waited, start = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(iterator)
        waited += time.perf_counter() - asked
        logs = step(batch)
    _ = [float(value) for value in logs.values()]
    return time.perf_counter() - start, waited


def fit_speed(gan: ConditionalGAN, source: tf.data.Dataset) -> float:
    """Images/s of `fit`, as training calls it."""
    steps = max(1, EPOCH_IMAGES // gan.preset.batch_size)
    gan.fit(source, steps_per_epoch=2, verbose=0, shuffle=False)
    start = time.perf_counter()
    gan.fit(source, steps_per_epoch=steps, verbose=0, shuffle=False)
    return steps * gan.preset.batch_size / (time.perf_counter() - start)


def step_flops(step: tf.types.experimental.PolymorphicFunction, batch: tuple) -> int:
    """Floating-point operations of convolutions and matrix products in one step's graph."""
    graph = step.get_concrete_function(batch).graph
    options = (
        ProfileOptionBuilder(ProfileOptionBuilder.float_operation())
        .with_empty_output()
        .with_node_names(start_name_regexes=[".*"])
        .build()
    )
    options["show_name_regexes"] = [".*(Conv2D|MatMul|convolution).*"]
    return profile(graph, options=options).total_float_ops


def matmul_rate(dtype: str) -> float:
    """GFLOP/s of a large matrix product in this dtype."""
    a = tf.cast(tf.random.stateless_normal([MATMUL_SIZE, MATMUL_SIZE], [1, 2]), dtype)
    product = tf.function(lambda: tf.reduce_sum(tf.cast(a @ a, tf.float32)))
    float(product())
    start = time.perf_counter()
    for _ in range(5):
        last = product()
    float(last)
    return 5 * 2 * MATMUL_SIZE**3 / (time.perf_counter() - start) / 1e9


if __name__ == "__main__":
    main()
