"""From folders to data sets: nothing lost, nothing leaked, the same bytes every time."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.data_sets import (
    CLASSES,
    LESION_COLUMNS,
    everything,
    lesions,
    records,
    rejected,
    save,
    write_class_folders,
)
from tests.files import contents
from tests.images import noise
from tfrecords_tools import builder
from tfrecords_tools.build_steps import prepare
from tfrecords_tools.build_steps import second_pass as shards
from tfrecords_tools.builder import BuildReport, build
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.opening import read_file
from tfrecords_tools.records import writer
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.verifier import verify


def test_class_folders(folders, tmp_path):
    report = build(folders, tmp_path / "out", name="small", size=16)
    assert isinstance(report, BuildReport)
    assert report.info == read_info(tmp_path / "out")
    assert report.rejections == report.lost_classes == ()
    assert report.info.class_names == tuple(CLASSES)
    found = everything(tmp_path / "out")
    assert Counter(record.label for record in found) == dict(enumerate(CLASSES.values()))
    for record in found:
        assert record.image_id.startswith(report.info.class_names[record.label] + "/")
        assert record.group == record.image_id
        assert record.origin == "real"
        assert (folders / record.image_id).is_file()
    assert len({record.image_id for record in found}) == 32
    sheets = sorted(path.name for path in (tmp_path / "out" / "contact_sheets").iterdir())
    assert sheets == ["00_melanoma.png", "01_naevus.png"]
    assert verify(tmp_path / "out").problems == ()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": 16, "resize": "pad"},
        {"size": 16, "resize": "squash", "encoding": "jpeg"},
        {"size": 40, "splits": {"train": 1}},
        {"size": 8, "splits": {"train": "0.5", "test": "0.5"}, "workers": 1},
    ],
)
@pytest.mark.parametrize("clean", [True, False])
def test_tfds_reads_every_kind(clean, options, folders, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(writer, "SHARD_BYTES", 4000)
    monkeypatch.setattr(shards, "SHARD_BYTES", 4000)
    save(folders / "naevus" / "grey.jpg", noise(77, 30, 40)[..., 0])
    if not clean:
        broken(folders)
    info = build(folders, tmp_path / "out", name="x", **options).info
    assert sum(len(files.shards) for files in info.splits.values()) > 2
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.features["label"].names == list(CLASSES)
    found = {
        example["image_id"].decode(): (split, example["image"], int(example["label"]))
        for split, dataset in builder.as_dataset().items()
        for example in tfds.as_numpy(dataset)
    }
    expected = {r.image_id: (s, r) for s, rs in records(tmp_path / "out").items() for r in rs}
    assert len(found) == 33
    assert set(found) == set(expected)
    for image_id, (split, image, label) in found.items():
        expected_split, record = expected[image_id]
        assert (split, label) == (expected_split, record.label)
        seen = tf.io.decode_image(record.image, channels=3, expand_animations=False)
        np.testing.assert_array_equal(image, seen)
    assert verify(tmp_path / "out").problems == ()


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("size", [16, "original"])
def test_builds_are_equal_byte_for_byte(clean, size, folders, tmp_path, monkeypatch):
    """Whatever the place and the workers; in one pass, and in two, which a broken file makes."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 5000)
    monkeypatch.setattr(shards, "SHARD_BYTES", 5000)
    if not clean:
        (folders / "naevus" / "broken.png").write_bytes(b"")
    build(folders, tmp_path / "one", name="small", size=size, workers=1)
    shutil.copytree(folders, tmp_path / "copy")
    for workers in (2, 5):
        out = tmp_path / "deep" / str(workers)
        build(tmp_path / "copy", out, name="small", size=size, workers=workers)
        assert contents(tmp_path / "one") == contents(out)
    assert len(read_info(tmp_path / "one").splits["train"].shards) > 2
    assert not [name for name in contents(tmp_path / "one") if name.endswith(".part")]
    assert verify(tmp_path / "one").problems == ()


def broken(folders: Path) -> None:
    (folders / "naevus" / "broken.png").write_bytes(b"")


def copied(folders: Path) -> None:
    # It comes behind the one that it is a copy of, and so it is the one that goes.
    shutil.copy(folders / "naevus" / "05.png", folders / "naevus" / "zz.png")


def with_a_class_of_no_good(folders: Path) -> None:
    # The first in the alphabet: all labels are others in the first pass.
    (folders / "akiec").mkdir()
    (folders / "akiec" / "broken.png").write_bytes(b"")


@pytest.mark.parametrize("spoil", [broken, copied, with_a_class_of_no_good])
@pytest.mark.parametrize("options", [{"size": 16}, {}, {"size": 16, "encoding": "jpeg"}])
def test_both_passes_give_the_same_shards(spoil, options, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_BYTES", 5000)
    monkeypatch.setattr(shards, "SHARD_BYTES", 5000)
    passes = []
    write_shards = shards.write_shards
    monkeypatch.setattr(
        builder, "write_shards", lambda *args: passes.append(1) or write_shards(*args)
    )
    build(folders, tmp_path / "one", name="small", **options)
    assert not passes
    spoil(folders)
    build(folders, tmp_path / "two", name="small", **options)
    assert passes
    assert len(rejected(tmp_path / "two")) == 1
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    differing = {name for name in one | two if one.get(name) != two.get(name)}
    # Which images a contact sheet shows is chosen before any is read.
    assert {name for name in differing if not name.startswith("contact_sheets/")} == {
        "build_report.json",
        "rejected.csv",
    }
    assert len(read_info(tmp_path / "one").splits["train"].shards) > 2


def test_input_fingerprint_is_of_the_input(folders, tmp_path):
    def fingerprint(out: str) -> str:
        build(folders, tmp_path / out, name="small", size=16)
        return json.loads((tmp_path / out / "build_report.json").read_text())["input_fingerprint"]

    first = fingerprint("one")
    save(folders / "naevus" / "00.png", noise(999))
    changed = fingerprint("two")
    (folders / "naevus" / "00.png").rename(folders / "naevus" / "000.png")
    assert len({first, changed, fingerprint("three")}) == 3


def test_duplicates(folders, tmp_path):
    save(folders / "naevus" / "copy.bmp", noise(1000))
    save(folders / "naevus" / "conflict.png", noise(3))
    build(folders, tmp_path / "out", name="x", size=16)
    assert rejected(tmp_path / "out") == {
        "naevus/copy.bmp": "duplicate",
        "naevus/conflict.png": "label_conflict",
        "melanoma/03.png": "label_conflict",
    }
    assert len(everything(tmp_path / "out")) == 31


def test_max_rejected(folders, tmp_path):
    for number in range(8):
        (folders / "naevus" / f"bad{number}.png").write_bytes(b"")
    (folders / "notes.txt").write_text("strangers do not count")
    message = r"8 of 40 images are rejected \(20\.0%, allowed are 10\.0%\): naevus/bad0\.png: empty"
    with pytest.raises(InputError, match=message):
        build(folders, tmp_path / "out", name="x")
    assert not (tmp_path / "out").exists()
    build(folders, tmp_path / "out", name="x", max_rejected=0.2)
    assert len(rejected(tmp_path / "out")) == 9


def test_no_image_is_good(tmp_path):
    hostile_only = tmp_path / "images"
    for label in "ab":
        (hostile_only / label).mkdir(parents=True)
        (hostile_only / label / "x.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"no image is left, 2 are rejected: a/x\.png: empty"):
        build(hostile_only, tmp_path / "out", name="x", max_rejected=1)


def test_existing_directory_is_left_alone_or_replaced(folders, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(InputError, match=r"something else \(no dataset_info\.json\)"):
        build(folders, tmp_path / "out", name="x", size=16, overwrite=True)
    assert contents(tmp_path / "out") == {"mine": b"mine"}
    (tmp_path / "out" / "dataset_info.json").write_text("of an earlier build")
    build(folders, tmp_path / "out", name="x", size=16, overwrite=True)
    assert "mine" not in contents(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "out"]


def test_input_is_never_replaced(folders, tmp_path):
    for out in (folders, tmp_path):
        with pytest.raises(InputError, match="would be replaced: choose another --out"):
            build(folders, out, name="x", overwrite=True)
    with pytest.raises(InputError, match="lies in the image folder"):
        build(folders, folders / "out", name="x")
    labels = tmp_path / "out" / "labels.csv"
    labels.parent.mkdir()
    labels.write_text("image_id,label\n")
    with pytest.raises(InputError, match=r"labels\.csv lies in .*out, which would be replaced"):
        build(folders, tmp_path / "out", name="x", labels=labels, overwrite=True)
    assert len(list(folders.rglob("*.png"))) == 32
    assert labels.exists()


def test_extra_columns_through_tfds(tmp_path):
    import tensorflow_datasets as tfds

    images, labels = lesions(tmp_path)
    rows = labels.read_text().splitlines()
    rows_with_more = [
        f"{row},{'' if i % 3 else i},{'NA' if i % 2 else 'back'}" for i, row in enumerate(rows)
    ]
    labels.write_text("\n".join([f"{rows[0]},n,site", *rows_with_more[1:]]))
    options = {"extra_columns": {"age": "float", "n": "int", "site": "text"}, **LESION_COLUMNS}
    build(images, tmp_path / "out", name="x", labels=labels, size=8, **options)
    dataset = tfds.builder_from_directory(tmp_path / "out").as_dataset()
    found = {
        example["image_id"].decode(): (example["age"], example["n"], example["site"].decode())
        for split in dataset.values()
        for example in tfds.as_numpy(split)
    }
    assert found["ISIC_000"] == (50, -1, "")
    assert found["ISIC_002"] == (50, 3, "")
    assert found["ISIC_005"] == (50, 6, "back")
    assert verify(tmp_path / "out").problems == ()


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Broken")])
def test_file_that_cannot_be_read(error, folders, tmp_path, monkeypatch):
    def refuse(path, max_pixels):
        if path.name == "03.png":
            raise error
        return read_file(path, max_pixels)

    monkeypatch.setattr(prepare, "read_file", refuse)
    report = build(folders, tmp_path / "out", name="x", size=16)
    assert {(r.file, r.reason, r.detail) for r in report.rejections} == {
        ("melanoma/03.png", "unreadable", error.strerror),
        ("naevus/03.png", "unreadable", error.strerror),
    }
    assert len(everything(tmp_path / "out")) == 30


def test_unknown_option(folders, tmp_path):
    with pytest.raises(TypeError, match="colour"):
        build(folders, tmp_path / "out", name="x", colour="red")


def test_class_none_of_whose_files_can_be_read_is_reported(folders, tmp_path):
    """A broken file, a photograph of a telephone, a link to nothing, and what is no class."""
    (folders / "df").mkdir()
    (folders / "df" / "x.png").symlink_to(tmp_path / "elsewhere")
    junk = (".cache/x.png", "__MACOSX/._x.png", "README.txt")
    for file in ("akiec/x.png", "bcc/x.heic", *junk):
        (folders / file).parent.mkdir(exist_ok=True)
        (folders / file).write_bytes(b"")
    report = build(folders, tmp_path / "out", name="x", size=16)
    assert report.lost_classes == ("akiec", "bcc", "df")
    assert report.info.class_names == tuple(CLASSES)
    written = json.loads((tmp_path / "out" / "build_report.json").read_text())
    assert written["lost_classes"] == ["akiec", "bcc", "df"]


def test_class_none_of_whose_files_can_be_read_in_folders_of_splits(tmp_path):
    images = tmp_path / "images"
    for split in ("train", "test"):
        write_class_folders(images / split)
        (images / split / "bcc").mkdir()
        (images / split / "bcc" / "x.heic").write_bytes(split.encode())
    for number, file in enumerate(sorted((images / "test").rglob("*.png"))):
        Image.fromarray(noise(50_000 + number)).save(file)
    assert build(images, tmp_path / "out", name="x", size=16).lost_classes == ("bcc",)


def test_class_of_a_table_none_of_whose_files_can_be_read_is_reported(folders, tmp_path):
    (folders / "x.heic").write_bytes(b"ftypheic")
    rows = [f"{path.relative_to(folders)},{path.parent.name}" for path in folders.rglob("*.png")]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["id,label", *rows, "x,df"]))
    options = {"labels": labels, "id_column": "id", "label_column": "label"}
    report = build(folders, tmp_path / "out", name="x", size=16, **options)
    assert report.lost_classes == ("df",)
