"""A corpus of odd, damaged and foreign files: each is in the data set as an independent decoder
sees it, or rejected for the right reason."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import encoding
from tests.data_sets import rejected, write_class_folders
from tests.images import noise, seen
from tests.tfrecords_tools import hostile
from tfrecords_tools import build, read, verify
from tfrecords_tools.images.image_file import Rejected, prepare
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.records.schema import SPLITS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::Warning:PIL")
REASONS = {"damaged", "truncated", "not_an_image", "too_large", "too_small", "animated", "empty"}
FEWEST_KINDS = 150


def reference(name: str, content: bytes) -> np.ndarray:
    """[height, width, 3]: what the file was made of, or what TensorFlow sees in it."""
    if name in hostile.shown():
        return hostile.shown()[name]
    if name == "inside.png":  # a link
        return hostile.smooth(75)
    return np.rot90(seen(content), -1 if name == "turned.jpg" else 0)


def is_plain(content: bytes) -> bool:
    """Whether a file is an upright JPEG or PNG of 8-bit RGB, grey or palette, by its bytes."""
    if content.startswith(b"\x89PNG"):
        depth, colour = content[24:26]
        transparent = b"tRNS" in content or colour in (4, 6)
        return depth <= 8 and not transparent and b"eXIf" not in content
    start = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    return content.startswith(b"\xff\xd8") and content[start + 9] != 4 and start < 5000


def compressed(content: bytes) -> bytes:
    """The compressed pixels of a PNG or JPEG, with its palette or last scan."""
    if content.startswith(b"\x89PNG"):
        return content[content.index(b"IDAT") : content.index(b"IEND")]
    return content[content.rindex(b"\xff\xda") : content.rindex(b"\xff\xd9")]


def is_record_kind(content: bytes) -> bool:
    return content.startswith((b"\x89PNG", b"\xff\xd8"))


def images_of(directory) -> dict[str, bytes]:
    """Encoded images of the corpus, by file name."""
    found = [
        (record.image_id.removeprefix("odd/"), record.image)
        for split in SPLITS
        for record in read(directory, split)
        if record.image_id.startswith("odd/")
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def rejections(directory) -> dict[str, tuple[str, str]]:
    """Reason and detail of each rejected file of the corpus."""
    with (directory / "rejected.csv").open(encoding="utf-8", newline="") as table:
        rows = [row.values() for row in csv.DictReader(table)]
    found = {file.removeprefix("odd/"): (reason, detail) for file, reason, detail in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder, and why each of its odd files is rejected, None for those that are not."""
    images = write_class_folders(tmp_path_factory.mktemp("corpus") / "images")
    return images, hostile.write(images / "odd")


@pytest.fixture(scope="module", params=["original", 16])
def built(corpus, request, tmp_path_factory):
    """The size, the data set of the corpus, and what became of its files."""
    images, fates = corpus
    out = tmp_path_factory.mktemp("built") / "out"
    build(images, out, name="x", size=request.param, max_rejected=0.6)
    return request.param, out, fates


def test_every_file_is_in_the_data_set_or_rejected_for_its_reason(built):
    _, out, fates = built
    assert len(fates) >= FEWEST_KINDS
    assert set(images_of(out)) == {file for file, reason in fates.items() if reason is None}
    found = rejections(out)
    assert {file: reason for file, (reason, _) in found.items()} == {
        file: reason for file, reason in fates.items() if reason is not None
    }
    # No detail is blank, and none has an address, which would differ from run to run.
    assert not [detail for _, detail in found.values() if not detail or " at 0x" in detail]
    assert verify(out).problems == ()


def test_pixels_are_those_that_others_see(built):
    size, out, _ = built
    strangers = {name: content for name, (content, _) in hostile.strangers().items()}
    contents = hostile.sound() | strangers | {"inside.png": b""}
    for name, image in images_of(out).items():
        if name == "secret.png":
            continue
        found, expected = seen(image), reference(name, contents[name])
        if size == "original":
            # 16 bits and alpha are rounded, decoders of JPEG may differ by a level.
            assert np.abs(found - expected).max() <= (0.51 if name in hostile.shown() else 1), name
        else:
            side = min(expected.shape[:2])
            square = tf.image.resize_with_crop_or_pad(np.float32(expected), side, side)
            resized = tf.image.resize(square, (16, 16), "lanczos3", antialias=True).numpy()
            assert np.abs(found - resized.clip(0, 255)).mean() < 2, name


def test_plain_files_alone_keep_their_bytes(built):
    size, out, _ = built
    found = images_of(out)
    recorded = {
        name: content for name, content in hostile.sound().items() if is_record_kind(content)
    }
    assert recorded.pop("telephone.jpg")  # of two images, the second of which is dropped
    kept = {
        name
        for name, content in recorded.items()
        if is_record_kind(found[name]) and compressed(found[name]) == compressed(content)
    }
    plain = {
        name
        for name, content in recorded.items()
        if is_plain(content) and name not in ("turned.jpg", "turned.png")
    }
    assert len(plain) > 40
    assert kept == (plain if size == "original" else set())
    report = json.loads((out / "build_report.json").read_text())
    whole = {"inside.png", "secret.png", *hostile.strangers()} & set(found)
    # And the noise of the class folders.
    untouched = len(kept) + len(whole) + 33 if size == "original" else 0
    assert report["re_encoded"] == report["images"] - untouched
    assert report["colour_profiles_ignored"] == 3


def test_records_hold_no_metadata_and_keep_colour_profiles(built):
    size, out, _ = built
    found = images_of(out)
    for name, image in found.items():
        for mark in (b"Exif", b"eXIf", b"tEXt", b"zTXt", b"JFXX", b"junk"):
            assert mark not in image[:2000] + image[-20:], name
    kept = {name for name, image in found.items() if b"iCCP" in image or b"ICC_PROFILE" in image}
    profiles = {"profile.jpg", "profile.png", "long_profile.png"}
    assert kept == (profiles if size == "original" else set())


def test_tfds_reads_it(built):
    import tensorflow_datasets as tfds

    size, out, fates = built
    datasets = tfds.builder_from_directory(out).as_dataset()
    seen = {
        example["image_id"].decode().removeprefix("odd/"): example["image"]
        for split in datasets.values()
        for example in tfds.as_numpy(split)
    }
    assert {file for file, reason in fates.items() if reason is None} < set(seen)
    expected = (16, 16, 3) if size == 16 else (24, 32, 3)
    assert {image.shape for image in seen.values()} <= {expected, (32, 24, 3)}


@pytest.mark.parametrize("name", hostile.unreadable_to_others())
def test_what_is_taken_can_be_read_by_others(name):
    try:
        found = prepare(hostile.unreadable_to_others()[name], ImageOptions())
    except Rejected:
        return
    assert seen(found.encoded).shape == (24, 32, 3)


def mutant(random: np.random.Generator, content: bytes) -> bytes:
    """A file with bytes changed, cut out, put in, or moved."""
    mutated = bytearray(content)
    for _ in range(random.integers(1, 4)):
        if not mutated:
            break
        start, length = random.integers(len(mutated)), random.integers(1, 40)
        kind = random.integers(6)
        if kind == 0:
            mutated[start] ^= 1 << random.integers(8)
        elif kind == 1:
            mutated[start : start + length] = random.bytes(length)
        elif kind == 2:
            del mutated[start : start + length]
        elif kind == 3:
            mutated[start:start] = random.bytes(length)
        elif kind == 4:
            block = mutated[start : start + length]
            del mutated[start : start + length]
            other = random.integers(len(mutated) + 1)
            mutated[other:other] = block
        else:
            mutated = mutated[: max(start, 2)]
    return bytes(mutated)


USUAL = (
    ("JPEG", {}),
    ("PNG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {"compress_level": 0}),
    ("JPEG", {"restart_marker_rows": 1}),
    ("PNG", {"optimize": True}),
)
OTHERS = (
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("GIF", {}),
    ("PPM", {}),
    ("JPEG2000", {}),
)


def mutants(count: int, formats=USUAL) -> list[bytes]:
    """Equal numbers of each format."""
    random = np.random.default_rng(7)
    sound = [
        encoding.encoded(hostile.smooth(seed), format, **options)
        for seed in range(5)
        for format, options in formats
    ]
    return [mutant(random, sound[number % len(sound)]) for number in range(count)]


@pytest.mark.parametrize(
    ("formats", "count"),
    [
        (USUAL, 200),
        (OTHERS, 100),
        pytest.param(USUAL, 2000, marks=pytest.mark.slow),
        pytest.param(OTHERS, 800, marks=pytest.mark.slow),
    ],
)
def test_mutants_are_read_or_rejected(formats, count):
    fates = Counter()
    for content in mutants(count, formats):
        for size in (None, 16):
            try:
                encoded = prepare(content, ImageOptions(size=size)).encoded
            except Rejected as rejected:
                fates[rejected.reason] += 1
                continue
            fates["taken"] += 1
            if formats is USUAL and size is None:
                seen(encoded)
            with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
                image.load()
                assert size is None or image.size == (16, 16)
    assert fates.total() == 2 * count
    assert set(fates) <= REASONS | {"taken"}
    assert min(fates["taken"], fates["damaged"]) > count / 10


@pytest.mark.parametrize("size", ["original", 16])
@pytest.mark.parametrize("count", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_mutants_in_a_build(count, size, tmp_path):
    images = write_class_folders(tmp_path / "images")
    for number, content in enumerate(mutants(count)):
        (images / "naevus" / f"mutant{number:03d}.jpg").write_bytes(content)
    build(images, tmp_path / "out", name="x", size=size, max_rejected=1)
    kept = [record.image_id for split in SPLITS for record in read(tmp_path / "out", split)]
    gone = rejected(tmp_path / "out")
    assert sorted([*kept, *gone]) == sorted(
        path.relative_to(images).as_posix() for path in images.rglob("*") if path.is_file()
    )
    assert len(gone) > count / 2
    assert set(gone.values()) <= REASONS | {"duplicate"}
    assert verify(tmp_path / "out").problems == ()


def test_reference_of_interlaced_files_is_sound():
    """The corpus holds PNGs that were made by hand: TensorFlow must see what they are said to."""
    image = noise(0)
    np.testing.assert_array_equal(seen(encoding.interlaced_png(image)), image)
    content = encoding.png16(image.astype(np.uint16) * 257)
    np.testing.assert_array_equal(
        tf.io.decode_png(content, dtype=tf.uint16), image * np.uint16(257)
    )
    assert struct.unpack(">II", content[16:24]) == (32, 24)
