"""Streaming from the shards: peak memory for few and for many records, speed against the cache.

Makes two data sets of noise in a temporary folder (200,000 records at 32 pixels are 600 MB) and
trains shortly on each, in separate processes. Takes about eight minutes on two cores.

    python -m benchmarks.streaming --scratch /tmp
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skin_synth.presets import PRESETS, get_preset
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import Record, serialize_record
from tfrecords_tools.records.writer import write_dataset

CLASSES, SIDE, STEPS = 7, 32, 300
WORKER = "streaming-worker"


def main() -> None:
    """Measures both and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--counts", type=int, nargs=2, default=(10_000, 200_000))
    parser.add_argument("--preset", default="derm-32", help="whose speed is compared")
    parser.add_argument("--windows", type=int, default=7, help="of the speed; medians are quoted")
    parser.add_argument("--measure", choices=("memory", "speed"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure == "memory":
        print(json.dumps(peak_memory(options.data)))
    elif options.measure == "speed":
        print(json.dumps(speeds(options.data, options.preset, options.windows)))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Makes the data sets, measures in separate processes, prints."""
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        peaks = []
        for count in options.counts:
            data = Path(scratch) / f"noise-{count}"
            write_noise(data, count)
            found = measured("memory", data, options)
            peaks.append(found["peak"])
            print(
                f"{count:,} records: {found['peak'] / 2**20:.0f} MiB at most, "
                f"{found['seconds']:.0f} s from the start to the end of {STEPS} steps",
                flush=True,
            )
        print(f"ratio of memory {peaks[1] / peaks[0]:.3f}", flush=True)
        speed = measured("speed", Path(scratch) / f"noise-{options.counts[0]}", options)
        for way in ("cached", "streamed", "streamed, no model", "cached, no model"):
            print(f"{options.preset}, {way}: {speed[way]:,.0f} images/s")
        print(f"ratio of speed {speed['ratio']:.3f}")


def measured(what: str, data: Path, options: argparse.Namespace) -> dict[str, float]:
    """Figures of a separate process."""
    command = [sys.executable, "-m", "benchmarks.streaming", "--measure", what]
    command += ["--data", str(data), "--preset", options.preset, "--windows", str(options.windows)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def write_noise(directory: Path, count: int) -> None:
    """A data set of `count` PNGs of noise, of unequal classes, in the training split."""

    def records() -> Iterator[bytes]:
        rng = np.random.default_rng(0)
        for number in range(count):
            image = encode_png(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
            label = int(CLASSES * rng.random() ** 2)
            yield serialize_record(Record(image, label, f"i{number}", f"g{number}"))

    write_dataset(
        directory,
        name="noise",
        class_names=[str(label) for label in range(CLASSES)],
        image_shape=(SIDE, SIDE, 3),
        splits={"train": records()},
    )


def peak_memory(data: Path) -> dict[str, float]:
    """Peak bytes of a whole streamed training: start, index, steps, checkpoint."""
    from skin_synth.training import TrainingOptions, train

    small = dataclasses.replace(
        get_preset("derm-32"),
        name=WORKER,
        generator_widths=(32, 16, 16, 8),
        discriminator_widths=(8, 16, 32),
    )
    PRESETS[small.name] = small
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as run:
        images = STEPS * small.batch_size
        train(data, run, TrainingOptions(preset=small.name, images=images, cache_limit=0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak, "seconds": time.monotonic() - start}


def speeds(data: Path, preset_name: str, windows: int) -> dict[str, float]:
    """Images/s of training in turns from memory and from the shards, and of the batches alone."""
    import tensorflow as tf

    from skin_synth.data.pipeline import batches
    from skin_synth.data.streaming import open_split
    from skin_synth.models.gan import ConditionalGAN

    preset = get_preset(preset_name)
    gan = ConditionalGAN(preset, [str(label) for label in range(CLASSES)])
    gan.compile()
    step = tf.function(gan.train_step, jit_compile=False)
    sources = {}
    for way, limit in (("cached", None), ("streamed", 0)):
        split = open_split(
            data,
            "train",
            cache_limit=limit,
            index_file=data / "none",
            fingerprint="",
        )
        sources[way] = iter(batches(split, batch_size=preset.batch_size, seed=0, exponent=0.5))
        step(next(sources[way]))
    rates: dict[str, list[float]] = {}
    for _ in range(windows):
        for way, source in sources.items():
            for name, work, steps in ((way, step, 40), (f"{way}, no model", None, 100)):
                start = time.perf_counter()
                for _ in range(steps):
                    batch = next(source)
                    if work is not None:
                        float(work(batch)["penalty"])
                rate = steps * preset.batch_size / (time.perf_counter() - start)
                rates.setdefault(name, []).append(rate)
    ratios = [b / a for a, b in zip(rates["cached"], rates["streamed"], strict=True)]
    medians = {name: statistics.median(found) for name, found in rates.items()}
    return {**medians, "ratio": statistics.median(ratios)}


if __name__ == "__main__":
    main()
