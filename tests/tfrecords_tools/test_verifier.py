"""Verify finds each planted damage, and names the place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import encoding
from tests.data_sets import write_records
from tests.files import flip_bit
from tests.images import noise
from tfrecords_tools import build, verifier
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records import writer
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.records.schema import Record, serialize_record
from tfrecords_tools.records.tfrecord import RecordWriter
from tfrecords_tools.verifier import verify

GOOD = Record(image=encode_png(noise(0, 16, 16)), label=1, image_id="odd", group="odd")


def with_record(directory: Path, odd: Record | bytes, split: str = "test") -> Path:
    """A data set of sound records, and one odd one at the end of a split."""
    sound = [Record(encode_png(noise(n, 16, 16)), n % 2, f"i{n}", f"g{n}") for n in range(1, 5)]
    splits = {"train": sound[:2], "test": sound[2:]}
    splits[split].append(odd)
    return write_records(directory, splits)


def test_sound_data(small_data, tmp_path):
    report = verify(small_data)
    assert (report.records, report.problems) == (32, ())
    assert verify(with_record(tmp_path / "data", GOOD)).problems == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": 2}, "label 2 is none of the 2 classes"),
        ({"label": -1}, "label -1 is none of the 2 classes"),
        ({"origin": "guessed"}, "origin 'guessed' is neither real nor synthetic"),
        ({"image": b"no image"}, "image 'odd' does not decode"),
        ({"image": b""}, "image 'odd' does not decode: the file has no byte"),
        ({"image": encoding.encoded(noise(0, 16, 16), "WEBP")}, "a WEBP image, where only"),
        ({"image": GOOD.image[:-60]}, "image 'odd' does not decode"),
        (
            {"image": encode_png(noise(0, 16, 15))},
            r"shape \[16, 15, 3\], promised is \(16, 16, 3\)",
        ),
        ({"image": encoding.encoded(np.zeros((16, 16, 4), np.uint8), "PNG")}, "has alpha, 16 bits"),
        ({"image": encoding.png16(np.zeros((16, 16, 3), np.uint16))}, "has alpha, 16 bits or CMYK"),
        (
            {"extras": {"age": 3.0}},
            r"extra columns are not those of the metadata; it has age \(flo",
        ),
        ({"image_id": "i1"}, "image_id 'i1' is also in x-train.* record 0"),
        ({"group": "g1"}, "group 'g1' is in split test and in train"),
    ],
)
def test_odd_record(changes, message, tmp_path):
    report = verify(with_record(tmp_path / "data", dataclasses.replace(GOOD, **changes)))
    (problem,) = report.problems
    assert problem.startswith("x-test.tfrecord-00000-of-00001 record 2: ")
    assert re.search(message, problem)
    assert report.records == 5


def test_one_record_with_several_problems(tmp_path):
    odd = dataclasses.replace(GOOD, label=9, group="g1", image=b"")
    assert len(verify(with_record(tmp_path / "data", odd)).problems) == 3


def test_record_that_is_no_example(tmp_path):
    (problem,) = verify(with_record(tmp_path / "data", b"\xff\xff\xff", "train")).problems
    assert problem.startswith("x-train.tfrecord-00000-of-00001 record 2: the record is no tf.train")


def test_image_of_any_size_where_that_is_promised(tmp_path):
    grey = encoding.encoded(Image.fromarray(noise(3)).convert("L"), "PNG")
    records = [
        *(Record(encode_png(noise(n, 16 + n, 20)), n, f"i{n}", f"g{n}") for n in range(2)),
        Record(grey, 0, "grey", "grey"),
        Record(grey[: len(grey) // 2], 0, "cut", "cut"),
    ]
    fields = {"image_shape": (None, None, 3), "image_format": None}
    data = write_records(tmp_path / "data", {"train": records}, **fields)
    (problem,) = verify(data).problems
    assert "record 3: image 'cut'" in problem


def shard(directory: Path, split: str) -> Path:
    return read_info(directory).splits[split].shards[0]


def test_cut_between_records(damageable):
    path = shard(damageable, "test")
    content = path.read_bytes()
    first = int.from_bytes(content[:8], "little") + 16
    path.write_bytes(content[:first])
    count = read_info(damageable).splits["test"].num_records
    (problem,) = verify(damageable).problems
    assert problem == f"{path.name}: 1 records, the metadata promise {count}"


def test_shards_that_changed_places(damageable):
    one, other = shard(damageable, "train"), shard(damageable, "test")
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert any("the metadata promise" in problem for problem in verify(damageable).problems)


def read_sound(content: bytes) -> Iterator[bytes]:
    """The records of a file: a length and its checksum, and a checksum behind each."""
    while content:
        end = 12 + int.from_bytes(content[:8], "little")
        yield content[12:end]
        content = content[end + 4 :]


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_byte_of_a_shard_counts(split, damageable):
    path = shard(damageable, split)
    content = path.read_bytes()
    ends = np.cumsum([16 + len(record) for record in read_sound(content)])
    for position in np.random.default_rng(0).integers(0, len(content), 40):
        flip_bit(path, position, position % 8)
        number = np.searchsorted(ends, position, "right")
        problems = verify(damageable).problems
        assert problems, position
        assert problems[0].startswith(f"{path.name} record {number}: it is damaged"), position
        flip_bit(path, position, position % 8)


def test_record_with_a_wrong_checksum_does_not_hide_what_follows(damageable):
    path = shard(damageable, "train")
    flip_bit(path, 100)
    report = verify(damageable)
    assert report.problems == (f"{path.name} record 0: it is damaged: its checksum is wrong",)
    assert report.records == 32


def test_cut_within_a_record(damageable):
    path = shard(damageable, "train")
    path.write_bytes(path.read_bytes()[:-5])
    (damage,) = verify(damageable).problems
    assert re.match(r"small-train\S+ record 22: it is damaged: the file ends within it, ", damage)


@pytest.fixture
def many_shards(folders, tmp_path, monkeypatch) -> Path:
    """A data set of several shards a split."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 3000)
    build(folders, tmp_path / "many", name="many", size=16)
    return tmp_path / "many"


def test_damage_is_reported_for_its_shard(many_shards):
    files = [path for files in read_info(many_shards).splits.values() for path in files.shards]
    assert len(files) > 6
    lengths = [n for files in read_info(many_shards).splits.values() for n in files.shard_lengths]
    first, last = files[0], files[-1]
    for path, length in zip(files, lengths, strict=True):
        flip_bit(path, -1)  # the checksum of the last record
        assert verify(many_shards).problems == (
            f"{path.name} record {length - 1}: it is damaged: its checksum is wrong",
        )
        flip_bit(path, -1)
    assert verify(many_shards).problems == ()
    first.unlink()
    last.write_bytes(b"")
    assert verify(many_shards).problems == (
        f"{first.name}: the shard is missing",
        f"{last.name}: 0 records, the metadata promise {lengths[-1]}",
    )


def rewrite(path: Path, records: list[Record]) -> None:
    with RecordWriter(path) as out:
        for record in records:
            out.write(serialize_record(record))


def is_found(directory: Path) -> bool:
    """Whether verify finds anything wrong."""
    try:
        return bool(verify(directory).problems)
    except InputError:
        return True


@pytest.mark.parametrize("file", ["dataset_info.json", "label.labels.txt"])
def test_metadata_with_a_flipped_bit(file, damageable):
    """It is found, or nothing that anyone reads has changed."""
    path, sound = damageable / file, read_info(damageable)
    positions = np.random.default_rng(0).permutation(path.stat().st_size)[:60]
    found = 0
    for position in positions:
        flip_bit(path, position, position % 8)
        if is_found(damageable):
            found += 1
        else:
            assert read_info(damageable) == sound, position
        flip_bit(path, position, position % 8)
    assert found > len(positions) / 2


DAMAGED_METADATA = {
    "dataset_info.json": [('"tfrecord"', '"tfrecore"'), ("{DATASET}", "{DATASEU}")],
    "features.json": [
        ('"png"', '"qng"'),
        ('"encodingFormat"', '"encodingFormau"'),
        ("FeaturesDict", "FeaturesDicu"),
        ("image_feature.Image", "image_feature.Jmage"),
        ('"uint8"', '"uint9"'),
    ],
}


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [(file, *change) for file, changes in DAMAGED_METADATA.items() for change in changes],
)
def test_metadata_that_tfds_cannot_read(file, before, after, damageable):
    import tensorflow_datasets as tfds

    path = damageable / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(Exception):  # noqa: B017, PT011 (of many kinds)
        next(iter(tfds.builder_from_directory(damageable).as_dataset(split="train")))
    with pytest.raises(InputError, match="the metadata are damaged or foreign"):
        verify(damageable)


def test_records_that_tfds_cannot_decode(damageable, monkeypatch):
    monkeypatch.setattr(verifier, "tfds_features", lambda info: None)
    (problem,) = verify(damageable).problems
    assert problem.startswith("TFDS cannot read it: ")


def test_code_that_a_data_set_names_does_not_run(damageable, monkeypatch):
    (damageable / "evil.py").write_text("open('ran', 'w').close()\n")
    monkeypatch.chdir(damageable)
    monkeypatch.syspath_prepend(damageable)
    path = damageable / "features.json"
    text = "tensorflow_datasets.core.features.text_feature.Text"
    path.write_text(path.read_text().replace(text, "evil.X", 1))
    with pytest.raises(InputError, match=r"the class of feature group is 'evil\.X'"):
        verify(damageable)
    assert not (damageable / "ran").exists()


@pytest.mark.parametrize("names", [("melanom", "naevus"), ("naevus", "melanoma")])
def test_renamed_classes(names, damageable):
    (damageable / "label.labels.txt").write_text("".join(f"{name}\n" for name in names))
    (problem,) = verify(damageable).problems
    assert problem == (
        f"label.labels.txt: the classes are {', '.join(names)}, but build_report.json says "
        "melanoma, naevus"
    )


def test_record_that_moved_to_another_class(damageable):
    path = shard(damageable, "test")
    records = list(read(damageable, "test"))
    records[0] = dataclasses.replace(records[0], label=1 - records[0].label)
    rewrite(path, records)
    problems = verify(damageable).problems
    assert len(problems) == 2
    assert all("records in test, build_report.json says" in problem for problem in problems)


@pytest.mark.parametrize("content", ["{}", "no json", '{"classes": 3}'])
def test_build_report_that_is_damaged(content, damageable):
    (damageable / "build_report.json").write_text(content)
    (problem,) = verify(damageable).problems
    assert problem.startswith("build_report.json is damaged")
