"""The presets in a table: parameters, GFLOPs an image, images/s and memory of a training step.

Each preset runs on noise in a separate process, so that its peak memory is known: that of the GPU
if there is one, else that of the process. Takes a few minutes on two cores, most of them for
derm-256.

    python -m benchmarks.presets
    python -m benchmarks.presets --policy mixed_bfloat16 --xla
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

from skin_synth.presets import PRESETS

CLASSES = 7
COLUMNS = ("preset", "parameters G + D", "GFLOP/image", "images/s", "peak memory, GiB")


def main() -> None:
    """Measures each preset and prints its row; with `--measure`, one of them, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--policy", default=None, help="Keras dtype policy (default: fast one)")
    parser.add_argument("--xla", action="store_true", help="compile the step with XLA")
    parser.add_argument("--windows", type=int, default=5, help="the median is quoted")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a window")
    parser.add_argument("--measure", metavar="PRESET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options)))
        return
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for name in options.presets:
        print(row(name, options), flush=True)


def row(name: str, options: argparse.Namespace) -> str:
    """The row of one preset."""
    command = [sys.executable, "-m", "benchmarks.presets", "--measure", name]
    command += ["--windows", str(options.windows), "--seconds", str(options.seconds)]
    command += ["--policy", options.policy] if options.policy else []
    command += ["--xla"] if options.xla else []
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(output.splitlines()[-1])
    xla = ", XLA" if options.xla else ""
    return (
        f"| {name}, batch {found['batch']}, {found['policy']}{xla} "
        f"| {found['generator'] / 1e6:.2f} M + {found['discriminator'] / 1e6:.2f} M "
        f"| {found['gflops']:.2f} | {found['speed']:.0f} | {found['memory'] / 2**30:.1f} |"
    )


def measure(name: str, options: argparse.Namespace) -> dict[str, float | str]:
    """Figures of one preset in this process."""
    import tensorflow as tf

    from benchmarks.step import step_flops
    from skin_synth.models.gan import ConditionalGAN

    gan = ConditionalGAN(name, [str(label) for label in range(CLASSES)], policy=options.policy)
    gan.compile(jit_compile=options.xla)
    preset = gan.preset
    shape = [preset.batch_size, preset.image_size, preset.image_size, 3]
    images = tf.cast(tf.random.stateless_uniform(shape, [0, 0], 0, 256, tf.int32), tf.uint8)
    batch = images, tf.range(preset.batch_size) % CLASSES
    step = tf.function(gan.train_step, jit_compile=options.xla)
    step(batch)
    rates = []
    for _ in range(options.windows):
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < options.seconds:
            float(step(batch)["penalty"])
            steps += 1
        rates.append(steps * preset.batch_size / (time.perf_counter() - start))
    return {
        "batch": preset.batch_size,
        "policy": gan.policy,
        "generator": gan.generator.count_params(),
        "discriminator": gan.discriminator.count_params(),
        "gflops": step_flops(step, batch) / preset.batch_size / 1e9,
        "speed": statistics.median(rates),
        "memory": peak_memory(),
    }


def peak_memory() -> int:
    """Peak bytes so far: on the GPU if there is one, else of this process."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
