"""A corpus of odd, damaged and foreign files: each is in the data set as an independent decoder
sees it, or rejected for the right reason."""

from __future__ import annotations

import csv
import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.tfrecords_tools import hostile
from tests.tfrecords_tools.conftest import write_class_folders
from tfrecords_tools import build, read, verify
from tfrecords_tools.images import Rejected, prepare
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.schema import SPLITS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::Warning:PIL")


def on_white(rgba: np.ndarray) -> np.ndarray:
    """float[h, w, 3] of float[h, w, 4], both in [0, 255]."""
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


def reference(name: str, content: bytes) -> np.ndarray:
    """float[h, w, 3]: what TensorFlow's decoders see, or what the file was made of."""
    arrays = {
        "plain.tif": 19, "lzw.tif": 33, "webp_named.jpg": 15, "plain.bmp": 17,
        "colours.ppm": 34, "lossless.jp2": 36,
    }  # fmt: skip
    if name in arrays:
        return hostile.smooth(arrays[name]).astype(float)
    if name in ("float.tiff", "grey.ppm"):
        return hostile.smooth({"float.tiff": 24, "grey.ppm": 35}[name])[..., :1].repeat(3, -1) * 1.0
    if name.startswith("palette"):
        image = Image.fromarray(hostile.smooth(29 if "alpha" in name else 11)).quantize(16)
        colours = np.asarray(image.convert("RGB"), float)
        opaque = np.full((24, 32), 255.0)
        alpha = 16.0 * np.asarray(image) if "alpha" in name else opaque
        return on_white(np.dstack([colours, alpha]))
    if name == "grey16.tif":
        return np.arange(24 * 32).reshape(24, 32, 1)[::-1].repeat(3, -1) * 85 / 257
    if name == "alpha.webp":
        return on_white(np.dstack([hostile.smooth(1)[::-1], np.full((24, 32), 128)]).astype(float))
    if content.startswith(b"\x89PNG"):
        sixteen = content[24] == 16
        dtype, scale = (tf.uint16, 257) if sixteen else (tf.uint8, 1)
        values = tf.io.decode_png(content, dtype=dtype).numpy() / scale
        if values.shape[-1] < 3:  # grey, or grey and alpha
            values = np.concatenate([values[..., :1].repeat(3, -1), values[..., 1:]], -1)
        return on_white(values) if values.shape[-1] == 4 else values
    if content.startswith(b"\xff\xd8"):
        decoded = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        return np.rot90(decoded, -1 if name == "turned.jpg" else 0).astype(float)
    if content.startswith(b"GIF"):
        return tf.io.decode_gif(content).numpy()[0].astype(float)
    with Image.open(io.BytesIO(content)) as image:  # a format that TensorFlow does not know
        return np.asarray(image.convert("RGB"), float)


def odd_records(directory) -> dict[str, bytes]:
    """Encoded images of the corpus, by file name."""
    return {
        record.image_id.removeprefix("odd/"): record.image
        for split in SPLITS
        for record in read(directory, split)
        if record.image_id.startswith("odd/")
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder, and why each of its odd files is rejected, None for those that are not."""
    images = write_class_folders(tmp_path_factory.mktemp("corpus") / "images")
    return images, hostile.write(images / "odd")


@pytest.mark.parametrize("size", ["original", 16])
def test_corpus(corpus, size, tmp_path):
    images, fates = corpus
    assert len(fates) >= 80
    build(images, tmp_path / "out", name="x", size=size, max_rejected=0.6)
    found = odd_records(tmp_path / "out")
    assert set(found) == {file for file, reason in fates.items() if reason is None}
    with (tmp_path / "out" / "rejected.csv").open(encoding="utf-8", newline="") as table:
        told = {row["file"]: row["reason"] for row in csv.DictReader(table)}
    assert told == {f"odd/{file}": reason for file, reason in fates.items() if reason is not None}
    for name, content in hostile.sound().items():
        expected, tolerance = reference(name, content), 0.51
        decoded = reference("", found[name])
        if size != "original":
            side = min(expected.shape[:2])
            square = tf.image.resize_with_crop_or_pad(expected, side, side)
            resized = tf.image.resize(square, (16, 16), "lanczos3", antialias=True)
            assert np.abs(decoded - resized.numpy().clip(0, 255)).mean() < 2, name
            continue
        if name.endswith(("jpg", "jpeg")):  # decoders differ in a level, or two for inks
            tolerance = 3
        assert np.abs(decoded - expected).max() <= tolerance, name
    assert verify(tmp_path / "out").problems == ()


def test_tfds_reads_what_is_left_of_the_corpus(corpus, tmp_path):
    import tensorflow_datasets as tfds

    images, fates = corpus
    build(images, tmp_path / "out", name="x", max_rejected=0.6)
    datasets = tfds.builder_from_directory(tmp_path / "out").as_dataset()
    ids = {e["image_id"].decode() for split in datasets.values() for e in tfds.as_numpy(split)}
    assert {file for file, reason in fates.items() if reason is None} == {
        id_.removeprefix("odd/") for id_ in ids if id_.startswith("odd/")
    }


def mutant(random: np.random.Generator, content: bytes) -> bytes:
    """A file with bytes changed, cut out, put in, or moved."""
    mutated = bytearray(content)
    for _ in range(random.integers(1, 4)):
        if not mutated:
            break
        start, length = random.integers(len(mutated)), random.integers(1, 40)
        kind = random.integers(5)
        if kind == 0:
            mutated[start] ^= 1 << random.integers(8)
        elif kind == 1:
            mutated[start : start + length] = random.bytes(length)
        elif kind == 2:
            del mutated[start : start + length]
        elif kind == 3:
            mutated[start:start] = random.bytes(length)
        else:
            mutated = mutated[: max(start, 2)]
    return bytes(mutated)


def mutants(count: int) -> list[bytes]:
    """Half of them JPEGs once, half PNGs."""
    random = np.random.default_rng(7)
    sound = [
        hostile.encoded(hostile.smooth(seed), format, **options)
        for seed in range(5)
        for format, options in (
            ("JPEG", {}),
            ("PNG", {}),
            ("JPEG", {"progressive": True}),
            ("PNG", {"compress_level": 0}),
        )
    ]
    return [mutant(random, sound[number % len(sound)]) for number in range(count)]


def test_2000_mutants_are_read_or_rejected():
    fates = {"taken": 0}
    for content in mutants(2000):
        for size in (None, 16):
            try:
                encoded = prepare(content, ImageOptions(size=size)).encoded
                with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
                    image.load()
                fate = "taken"
            except Rejected as rejected:
                fate = rejected.reason
            fates[fate] = fates.get(fate, 0) + 1
    assert sum(fates.values()) == 4000
    assert set(fates) <= {
        "taken", "damaged", "truncated", "not_an_image", "too_large", "too_small", "animated",
        "empty",
    }  # fmt: skip
    assert fates["taken"] > 200
    assert fates["damaged"] > 200


def test_mutants_in_a_build(tmp_path):
    images = write_class_folders(tmp_path / "images")
    for number, content in enumerate(mutants(300)):
        (images / "naevus" / f"mutant{number:03d}.jpg").write_bytes(content)
    build(images, tmp_path / "out", name="x", max_rejected=1)
    kept = [record.image_id for split in SPLITS for record in read(tmp_path / "out", split)]
    with (tmp_path / "out" / "rejected.csv").open(newline="") as table:
        gone = [row["file"] for row in csv.DictReader(table)]
    assert sorted([*kept, *gone]) == sorted(
        os.path.relpath(path, images) for path in images.rglob("*") if path.is_file()
    )
    assert verify(tmp_path / "out").problems == ()
