"""Artificial photographs: JPEGs of 600x450 pixels, 163 kB each, as dermatoscopes write them.

python -m benchmarks.photographs --out runs/photographs --count 5000
"""

from __future__ import annotations

import argparse
import functools
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 600, 450
CLASSES = 4
QUALITY = 95
GRAIN = 14.0
"""Standard deviation of the noise in grey levels; makes the files as large as real ones."""


def main() -> None:
    """Writes them with all cores."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--count", type=int, default=5000)
    options = parser.parse_args()
    print(f"{write(options.out, options.count):,} bytes in {options.count:,} files")


def write(out: Path, count: int) -> int:
    """Writes photographs 0 to count - 1 into class folders if missing; returns their bytes."""
    for label in range(CLASSES):
        (out / f"class{label}").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(functools.partial(_write_one, out), range(count), chunksize=64))


def _write_one(out: Path, index: int) -> int:
    path = out / f"class{index % CLASSES}" / f"{index:06d}.jpg"
    if not path.exists():
        temporary = path.with_suffix(".part")
        Image.fromarray(photograph(index)).save(temporary, "JPEG", quality=QUALITY)
        temporary.rename(path)
    return path.stat().st_size


def photograph(index: int) -> np.ndarray:
    """uint8[450, 600, 3]: blotches of colour with grain, a pure function of the index."""
    random = np.random.default_rng(index)
    coarse = random.normal(150, 40, (9, 12, 3)).clip(0, 255).astype(np.uint8)
    blotches = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    grain = random.normal(0, GRAIN, (HEIGHT, WIDTH, 1))
    return (np.asarray(blotches, np.float32) + grain).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
