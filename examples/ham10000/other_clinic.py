"""Another clinic's HAM10000: the same lesions through a colder, closer camera, with more hair.

A generator of HAM10000 has not seen such images. `small_site.sh` studies whether it helps a site
that has them. Takes about two minutes for 10,015 images on one CPU core.

    python examples/ham10000/other_clinic.py /path/to/ham10000/images runs/ham/clinic/images
    python examples/ham10000/other_clinic.py /path/to/ham10000/images grid.jpg --grid 24
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ZOOM = 1.35
"""The camera is closer: it shows the middle 1/1.35 of each side."""
COLOUR_GAINS = (0.84, 0.96, 1.10)
"""Of red, green and blue: a colder white balance."""
SATURATION = 0.75
GAMMA = 1.25
"""Above 1: darker middle tones."""
VIGNETTE = 0.35
"""Share of the brightness that the corners lose."""
MOST_HAIRS = 10
SUPERSAMPLING = 4


def as_other_clinic(image: Image.Image, name: str) -> Image.Image:
    """Returns an RGB image as the other clinic would have taken it; hair depends on `name`."""
    width, height = image.size
    left, top = (width - width / ZOOM) / 2, (height - height / ZOOM) / 2
    closer = image.convert("RGB").resize(
        image.size, Image.Resampling.BICUBIC, box=(left, top, width - left, height - top)
    )
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
    return _colours(_hair(closer, rng), rng)


def _hair(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Draws dark, slightly bent hairs across the image."""
    size = np.array(image.size)
    mask = Image.new("L", tuple(size * SUPERSAMPLING))
    draw = ImageDraw.Draw(mask)
    for _ in range(rng.integers(0, MOST_HAIRS + 1)):
        start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
        bend = (start + end) / 2 + rng.normal(0, 0.15, 2) * size
        t = np.linspace(0, 1, 30)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        thickness = SUPERSAMPLING * size.min() * rng.uniform(0.005, 0.015)
        points = [tuple(point) for point in curve * SUPERSAMPLING]
        draw.line(points, fill=int(rng.uniform(120, 230)), width=max(round(thickness), 1))
    dark = Image.new("RGB", image.size, (45, 32, 28))
    return Image.composite(dark, image, mask.resize(image.size, Image.Resampling.BOX))


def _colours(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Applies the colours of the camera; exposure differs a little from image to image."""
    signal = (np.asarray(image, np.float32) / 255) ** GAMMA
    grey = signal.mean(axis=2, keepdims=True)
    signal = grey + SATURATION * (signal - grey)
    rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in signal.shape[:2])
    distance = (rows[:, None] ** 2 + columns**2)[..., None] / 2
    exposure = rng.uniform(0.9, 1.1)
    signal = signal * np.array(COLOUR_GAINS, np.float32) * exposure * (1 - VIGNETTE * distance)
    return Image.fromarray((255 * np.clip(signal, 0, 1)).round().astype(np.uint8))


def write_grid(paths: list[Path], out: Path) -> None:
    """Writes pairs of images, the original above the other clinic's."""
    side, columns = 128, 12
    grid = Image.new("RGB", (columns * side, 2 * side * -(-len(paths) // columns)))
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            pair = image.convert("RGB"), as_other_clinic(image, path.name)
        for row, each in enumerate(pair):
            place = number % columns * side, (number // columns * 2 + row) * side
            grid.paste(each.resize((side, side)), place)
    grid.save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="folder of JPEG files")
    parser.add_argument("out", type=Path, help="new folder, or the file of the grid")
    parser.add_argument("--grid", type=int, default=0, help="only a grid of so many images")
    options = parser.parse_args()
    paths = sorted(options.images.glob("*.jpg"))
    if not paths:
        parser.error(f"no *.jpg in {options.images}")
    if options.grid:
        write_grid(paths[:: max(len(paths) // options.grid, 1)][: options.grid], options.out)
        return
    options.out.mkdir(parents=True)
    for path in paths:
        with Image.open(path) as image:
            as_other_clinic(image, path.name).save(options.out / path.name, quality=95)
    print(f"{options.out}: {len(paths):,} images")


if __name__ == "__main__":
    main()
