"""Time and memory of an evaluation: features, distances and neighbours of N against N images.

Images are random and smooth. Peak memory is that of the whole process with TensorFlow. Without
--weights, features are random numbers. 1,000 images took 22 s of CPU time, mostly for features.
Time grows with N for features and with N squared for distances and neighbours, so 10,000 images
take five to ten minutes of CPU time. Ends with 1 if --minutes or --gib is exceeded.

    python -m benchmarks.evaluation --images 10000 --size 64 \
        --weights mobilenet_v1_0.75_224.weights.h5 --minutes 15 --gib 4
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from skin_synth.evaluation.features.extractors import mobilenet
from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.metrics.frechet import frechet_distance
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance, kernel_interval
from skin_synth.evaluation.metrics.nearest import nearest


def main() -> int:
    """Prints a line for each stage; returns 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", type=int, default=10_000, help="on each side")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument(
        "--weights", help="MobileNet 0.75/224 weights file; without it features are random"
    )
    parser.add_argument("--dimension", type=int, default=768, help="of random features")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="limit, wall clock")
    parser.add_argument("--gib", type=float, default=float("inf"), help="limit of peak memory")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    real, fake = (smooth(rng, options.images, options.size) for _ in range(2))
    start = time.monotonic()
    if options.weights:
        extractor = mobilenet(options.weights)
        x = timed("features of the first side", lambda: extractor(real))
        y = timed("features of the second side", lambda: extractor(fake))
    else:
        x, y = rng.standard_normal((2, options.images, options.dimension), np.float32)
    timed("Fréchet distance", lambda: frechet_distance(x, y))
    timed("kernel distance", lambda: kernel_distance(x, y))
    timed("kernel interval", lambda: kernel_interval(x, y))
    timed("precision, recall, density, coverage", lambda: manifold.compare(x, y))
    timed("realism", lambda: manifold.realism(x, y))
    timed("nearest images by pixels", lambda: nearest(fake, real))
    seconds = time.monotonic() - start
    print(f"{'all':40s} {seconds:8.1f} s, peak memory {peak():.2f} GiB")
    return int(seconds > 60 * options.minutes or peak() > options.gib)


def smooth(rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    """Random images with similar neighbouring pixels and some noise."""
    coarse = rng.integers(40, 216, (count, 8, 8, 3), np.uint8)
    large = coarse.repeat(side // 8, axis=1).repeat(side // 8, axis=2)
    return large + rng.integers(0, 16, large.shape, np.uint8)


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Does the work; prints wall-clock and CPU seconds."""
    wall, processor = time.monotonic(), time.process_time()
    found = work()
    wall, processor = time.monotonic() - wall, time.process_time() - processor
    print(
        f"{name:40s} {wall:8.1f} s, {processor:8.1f} s CPU, peak so far {peak():.2f} GiB",
        flush=True,
    )
    return found


def peak() -> float:
    """Largest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    sys.exit(main())
