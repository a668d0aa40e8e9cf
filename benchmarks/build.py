"""Throughput of `tfrecords-tools build` and of its alternatives, interleaved in one run.

The alternatives do the same work on the same files: two threads (or those of tf.data) with
TensorFlow's decoder, antialiased resize and PNG encoder; the builder of TFDS with the same; and,
for original bytes, threads that decode and write nothing. Imports and a small first round are not
timed.

    python -m benchmarks.photographs --out runs/photographs --count 5000
    python -m benchmarks.build --images runs/photographs
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import tfrecords_tools

SIZE = 128
WORKERS = 2
RESIZED = f"build --size {SIZE}"
ORIGINAL = "build --size original"
DECODING = "decoding only, writing nothing"
CROP = (75, 450)
"""First column and side of the square about the centre of a photograph of 600x450 pixels."""


def main() -> None:
    """Times all in turn, `--repeats` times; prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", required=True, type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=int, help="take the first images only")
    parser.add_argument("--only", choices=("resized", "original"), help="one half of it")
    options = parser.parse_args()
    # By name, so that the first files are of all classes.
    found = sorted(options.images.rglob("*.jpg"), key=lambda path: path.name)
    files = [str(path) for path in found[: options.limit]]
    with tempfile.TemporaryDirectory(dir=options.images.parent) as scratch:
        place = Path(scratch)
        images = _linked(files, place / "images")
        contestants = _contestants(images, files, place, options.only)
        few = _contestants(_linked(files[:64], place / "few"), files[:64], place, options.only)
        _rates(few, 64, 1, place)
        rates = _rates(contestants, len(files), options.repeats, place)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"{name:46s} {medians[name]:7.0f} images/s   {min(values):.0f} to {max(values):.0f}")
    if options.only != "original":
        resized = medians[RESIZED]
        fastest = max(medians["Python threads, tf.io"], medians["tf.data, tf.io"])
        print(f"{RESIZED} / the faster of TensorFlow's: {resized / fastest:.2f}")
        print(f"{RESIZED} / TFDS' builder: {resized / medians['TFDS builder']:.2f}")
    if options.only != "resized":
        print(f"{ORIGINAL} / decoding only: {medians[ORIGINAL] / medians[DECODING]:.2f}")


def _contestants(
    images: Path, files: list[str], place: Path, only: str | None
) -> dict[str, Callable[[], object]]:
    out = place / "out"

    def build(size: int | str) -> object:
        return tfrecords_tools.build(images, out, name="x", size=size, workers=WORKERS)

    resized: dict[str, Callable[[], object]] = {
        RESIZED: lambda: build(SIZE),
        "Python threads, tf.io": lambda: _write(_in_threads(_prepared_eagerly, files), out),
        "tf.data, tf.io": lambda: _write(_by_tf_data(files), out),
        "TFDS builder": lambda: _tfds_builder(files, out),
    }
    original: dict[str, Callable[[], object]] = {
        ORIGINAL: lambda: build("original"),
        DECODING: lambda: list(_in_threads(_decoded, files)),
    }
    return {"resized": resized, "original": original}.get(only or "", resized | original)


def _rates(
    contestants: dict[str, Callable[[], object]], count: int, repeats: int, place: Path
) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats):
        for name, work in contestants.items():
            _clear(place)
            start = time.perf_counter()
            work()
            rates[name].append(count / (time.perf_counter() - start))
            print(f"{turn}: {name}: {rates[name][-1]:.0f}", file=sys.stderr)
    return rates


def _clear(place: Path) -> None:
    """Removes what the last contestant wrote, and flushes the disk."""
    if (place / "out").is_dir():
        shutil.rmtree(place / "out")
    (place / "out").unlink(missing_ok=True)
    os.sync()


def _linked(files: list[str], folder: Path) -> Path:
    """A folder with only these files, as hard links."""
    for file in files:
        target = folder / Path(file).parent.name / Path(file).name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(file)
    return folder


def _in_threads(work: Callable[[str], Any], files: list[str]) -> Iterator[Any]:
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(work, files)


def _decoded(file: str) -> None:
    with Image.open(file) as image:
        image.load()


def _resized(file: tf.Tensor) -> tf.Tensor:
    left, side = CROP
    image = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)[:, left : left + side]
    small = tf.image.resize(image, (SIZE, SIZE), antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(small), 0.0, 255.0), tf.uint8)


def _prepared(file: tf.Tensor) -> tf.Tensor:
    return tf.io.encode_png(_resized(file))


def _prepared_eagerly(file: str) -> bytes:
    return _prepared(tf.constant(file)).numpy()


def _resized_eagerly(file: str) -> np.ndarray:
    return _resized(tf.constant(file)).numpy()


def _by_tf_data(files: list[str]) -> Iterator[bytes]:
    dataset = tf.data.Dataset.from_tensor_slices(files)
    threads = tf.data.Options()
    # Without a private pool it takes the threads that others leave, sometimes only one.
    threads.threading.private_threadpool_size = WORKERS
    dataset = dataset.with_options(threads)
    return iter(dataset.map(_prepared, num_parallel_calls=WORKERS).as_numpy_iterator())


def _write(encoded: Iterator[bytes], out: Path) -> None:
    """One TFRecord file, flushed to the disk as a build is."""
    with tf.io.TFRecordWriter(str(out)) as writer:
        for image in encoded:
            feature = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[0])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    handle = os.open(out, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _tfds_builder(files: list[str], out: Path) -> None:
    class Photographs(  # type: ignore[call-arg]
        tfds.core.GeneratorBasedBuilder, skip_registration=True
    ):
        """The same decoding and resizing, written by TFDS."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(SIZE, SIZE, 3), encoding_format="png"),
                        "label": tfds.features.ClassLabel(num_classes=4),
                    }
                ),
            )

        def _split_generators(self, _: object) -> dict[str, Iterator[tuple[int, dict]]]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict]]:
            # One by one, as builders are written; TFDS encodes what it is given.
            for key, file in enumerate(files):
                yield key, {"image": _resized_eagerly(file), "label": 0}

    Photographs(data_dir=str(out)).download_and_prepare()


if __name__ == "__main__":
    main()
