"""Labels from class folders, splits from the folders above; each file is a record or rejected."""

from __future__ import annotations

import os

import pytest

from tests.listings import COMPOSED, DECOMPOSED, reasons, summary, touch
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import list_source
from tfrecords_tools.sources.files import has_image_suffix, without_suffix
from tfrecords_tools.sources.folders import from_class_folders
from tfrecords_tools.sources.layout import SPLIT_NAMES, split_from_name
from tfrecords_tools.text import abbreviate, normalise, printable


def test_class_folders(tmp_path):
    source = from_class_folders(touch(tmp_path, "nv/b.png", "nv/a.JPG", "mel/x/y/c.tif"))
    assert summary(source) == [
        ("mel/x/y/c.tif", "mel/x/y/c.tif", "mel", "mel/x/y/c.tif"),
        ("nv/a.JPG", "nv/a.JPG", "nv", "nv/a.JPG"),
        ("nv/b.png", "nv/b.png", "nv", "nv/b.png"),
    ]
    assert source.root == tmp_path
    assert source.labels == {"mel", "nv"}
    assert source.rejections == source.columns == ()
    assert not source.gives_splits
    assert list_source(tmp_path, BuildOptions(name="x")) == source


def test_what_lies_in_no_class_folder(tmp_path):
    source = from_class_folders(
        touch(tmp_path, "nv/a.png", "stray.png", " /blank.png", "notes.txt")
    )
    assert [record.file for record in source.records] == ["nv/a.png"]
    assert reasons(source) == {
        "stray.png": "label_missing",
        " /blank.png": "label_missing",
        "notes.txt": "not_an_image",
    }


def test_labels_are_stripped_and_composed(tmp_path):
    source = from_class_folders(touch(tmp_path, f" {DECOMPOSED} /a.png", "nv/b.png"))
    assert {record.label for record in source.records} == {COMPOSED, "nv"}
    assert normalise(f"\t{DECOMPOSED}\u00a0") == COMPOSED


@pytest.mark.parametrize(("one", "other"), [(COMPOSED, DECOMPOSED), ("nv", "nv ")])
@pytest.mark.parametrize("splits", [("", ""), ("train/", "test/")])
def test_folders_that_are_one_label(one, other, splits, tmp_path):
    touch(tmp_path, f"{splits[0]}{one}/a.png", f"{splits[1]}{other}/b.png")
    with pytest.raises(InputError, match="once stripped and normalised: rename all but one"):
        from_class_folders(tmp_path)


@pytest.mark.parametrize("label", ["a\nb", "a\u2028b", "a\x85b"])
def test_label_with_a_line_break(label, tmp_path):
    with pytest.raises(InputError, match="has a line break"):
        from_class_folders(touch(tmp_path, f"{label}/a.png"))


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("TRAINING", "Valid", "Testing"), ("Train ", "validation", "TEST")],
)
def test_folders_of_splits(train, validation, test, tmp_path):
    images = touch(
        tmp_path, f"{train}/nv/a.png", f"{train}/mel/x/b.png", f"{test}/nv/c.png", "notes/README.md"
    )
    touch(tmp_path, f"{validation}/nv/d.png")
    source = from_class_folders(images)
    assert source.gives_splits
    assert {(r.file, r.label, r.split) for r in source.records} == {
        (f"{train}/nv/a.png", "nv", "train"),
        (f"{train}/mel/x/b.png", "mel", "train"),
        (f"{validation}/nv/d.png", "nv", "validation"),
        (f"{test}/nv/c.png", "nv", "test"),
    }
    assert {r.image_id for r in source.records} == {r.file for r in source.records}
    assert source.labels == {"nv", "mel"}


@pytest.mark.parametrize("splits", [("train",), ("train", "validation"), ("test", "train")])
def test_folders_of_some_splits(splits, tmp_path):
    touch(tmp_path, *(f"{split}/{label}/x.png" for split in splits for label in ("nv", "mel")))
    source = from_class_folders(tmp_path)
    assert {record.split for record in source.records} == set(splits)
    assert {record.label for record in source.records} == {"nv", "mel"}


def test_what_lies_in_a_split_but_in_no_class_folder(tmp_path):
    source = from_class_folders(
        touch(tmp_path, "train/nv/a.png", "test/b.png", "c.png", "train/ /d.png")
    )
    assert [record.file for record in source.records] == ["train/nv/a.png"]
    assert reasons(source) == dict.fromkeys(
        ("test/b.png", "c.png", "train/ /d.png"), "label_missing"
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("train/nv/a.png", "nv/b.png"), r"folders train, .* and nv: put class folders"),
        (("train/a.png", "nv/b.png"), "and nv: put"),
        (("val/nv/a.png", "Validation/nv/b.png"), "two folders for one split among Validation"),
        (("train/a.png", "test/b.png"), "no class folder in them: make class folders there"),
    ],
)
def test_folders_of_splits_that_are_not_clear(files, message, tmp_path):
    with pytest.raises(InputError, match=message):
        from_class_folders(touch(tmp_path, *files))


def test_class_called_like_a_split_below_its_class_folder(tmp_path):
    source = from_class_folders(touch(tmp_path, "nv/train/a.png", "mel/test/b.png"))
    assert [(r.label, r.split) for r in source.records] == [("mel", None), ("nv", None)]


def test_what_means_a_split():
    assert {split_from_name(f" {name.upper()}\t") for name in SPLIT_NAMES} == {
        "train",
        "validation",
        "test",
    }
    assert split_from_name("trains") is split_from_name("") is None


def test_folder_without_a_labelled_image(tmp_path):
    message = (
        r"no labelled image \(a\.png: label_missing, nv/notes\.txt: not_an_image\): expected class"
    )
    with pytest.raises(InputError, match=message):
        from_class_folders(touch(tmp_path, "a.png", "nv/notes.txt"))


def test_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    touch(tmp_path, "nv/a.png", "mel/b.png")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("mel"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="mel"):
        from_class_folders(tmp_path)


def test_image_folder_behind_a_link(tmp_path):
    touch(tmp_path / "images", "nv/a.png")
    (tmp_path / "images" / "nv" / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to("images")
    source = from_class_folders(tmp_path / "link")
    assert [record.file for record in source.records] == ["nv/a.png", "nv/b.png"]


def test_metadata_of_macos(tmp_path):
    source = from_class_folders(touch(tmp_path, "nv/a.png", "nv/._a.png", "nv/.DS_Store"))
    assert {r.file: (r.reason, "AppleDouble" in r.detail) for r in source.rejections} == {
        "nv/._a.png": ("not_an_image", True),
        "nv/.DS_Store": ("not_an_image", False),
    }


def test_names_that_are_not_utf8(tmp_path):
    touch(tmp_path, "nv/a.png", os.fsdecode(b"nv/caf\xe9.png"), os.fsdecode(b"\xff/b.png"))
    source = from_class_folders(tmp_path)
    assert reasons(source) == {"nv/caf\\xe9.png": "name_not_utf8", "\\xff/b.png": "name_not_utf8"}


def test_link_to_a_name_that_is_not_utf8(tmp_path):
    touch(tmp_path, "nv/a.png")
    (tmp_path / "nv" / "b.png").symlink_to(os.fsdecode(b"\xe9.png"))
    (rejection,) = from_class_folders(tmp_path).rejections
    assert (rejection.reason, rejection.detail) == ("dangling_link", "it points to \\xe9.png")


@pytest.mark.parametrize(
    ("file", "meant"),
    [
        ("a/b.jpg", True),
        ("B.JPEG", True),
        ("._a.jpg", False),
        ("a/._b.jpg", False),
        ("Thumbs.db", False),
        (".png", False),
        ("a.png/b", False),
    ],
)
def test_what_was_meant_as_an_image(file, meant):
    assert has_image_suffix(file) is meant


@pytest.mark.parametrize(
    ("file", "stem"), [("a.b/c.d.jpg", "a.b/c.d"), ("a.b/c", "a.b/c"), (".jpg", ".jpg")]
)
def test_without_suffix(file, stem):
    assert without_suffix(file) == stem


def test_printable_keeps_what_can_be_printed():
    assert printable("ünï.png") == "ünï.png"
    assert printable(os.fsdecode(b"\xe9\\.png")) == "\\xe9\\.png"


def test_messages_name_a_few():
    assert abbreviate(list("abcde")) == "a, b, c, d, e"
    assert abbreviate(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_hidden_folders_are_no_classes(tmp_path):
    images = touch(
        tmp_path, "nv/a.png", "mel/b.png", ".ipynb_checkpoints/a.png", "nv/.x/deep/c.png"
    )
    source = from_class_folders(images)
    assert source.labels == {"mel", "nv"}
    assert reasons(source) == {
        ".ipynb_checkpoints/a.png": "hidden_folder",
        "nv/.x/deep/c.png": "hidden_folder",
    }
