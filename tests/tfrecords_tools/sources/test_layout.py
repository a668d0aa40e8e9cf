"""What each level of folders means: guessed from names, or given."""

from __future__ import annotations

import pytest

from tests.listings import read, table, touch
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import list_source
from tfrecords_tools.sources.layout import guess_layout, parse_layout, split_in_name


def folders(root, **options):
    return list_source(root, BuildOptions(name="x", **options))


def splits_and_labels(source):
    return {(record.split, record.label) for record in source.records}


THREE = {("train", "mel"), ("train", "nv"), ("test", "mel"), ("test", "nv")}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train/train", "test/test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("Train_Data", "Test_Data"),
        ("TrainData/images", "TestData/images"),
        ("ISIC_2019_Training_Input", "ISIC_2019_Test_Input"),
        ("HAM/HAM/train", "HAM/HAM/test"),
        ("archive/train/train", "archive/test/test"),
        ("training-set/data/train", "testing-set/data/test"),
    ],
)
def test_splits_in_nested_folders(train, test, tmp_path):
    files = [f"{split}/{label}/x.png" for split in (train, test) for label in ("mel", "nv")]
    source = folders(touch(tmp_path, *files))
    assert splits_and_labels(source) == THREE
    assert {record.file for record in source.records} == set(files)
    assert not source.findings


def test_folder_unpacked_into_itself(tmp_path):
    source = folders(touch(tmp_path, "isic/isic/mel/a.png", "isic/isic/nv/b.png"))
    assert source.labels == {"mel", "nv"}


@pytest.mark.parametrize(
    "files",
    [
        ("patch_test_pos/a/1.png", "patch_test_neg/b/2.png"),
        ("nevus/a.png", "contrast/b.png"),
        ("mel/images/a.png", "nv/images/b.png"),
    ],
)
def test_classes_that_are_no_splits(files, tmp_path):
    tops = {file.split("/")[0] for file in files}
    assert folders(touch(tmp_path, *files)).labels == tops


def test_one_class_with_patients_is_no_wrapper(tmp_path):
    files = [f"{s}/mel/p{n}/x.png" for s in ("train", "test") for n in (1, 2)]
    assert folders(touch(tmp_path, *files)).labels == {"mel"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("train_1/mel/a.png", "train_2/mel/b.png", "test/mel/c.png"), "two folders for one split"),
        (("Train_Data/mel/a.png", "Test_Data/mel/b.png", "more/nv/c.png"), "and more: put class"),
        (("Patient_01/mel/a.png", "Patient_02/mel/b.png"), "--folders group/class; if"),
        (
            ("fold0/mel/a.png", "fold1/mel/b.png"),
            "like parts of a data set: give --folders _/class",
        ),
        (("HAM_part_1/a.png", "HAM_part_2/b.png"), "or a CSV by --labels; if they are"),
        (("train/Batch 1/mel/a.png", "train/Batch 2/nv/b.png"), "give --folders split/_/class"),
        (("case 1/x/mel/a.png", "case 2/x/mel/b.png"), "--folders group/_/class; if"),
    ],
)
def test_layouts_that_are_not_clear(files, message, tmp_path):
    with pytest.raises(InputError, match=message):
        folders(touch(tmp_path, *files))
    assert folders(tmp_path, folders="class").labels == {file.split("/")[0] for file in files}


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (("seg_train/a.png", "seg_test/b.png"), "seg_test, seg_train"),
        (("mel/train/a.png", "nv/test/b.png"), "mel/train, nv/test"),
    ],
)
def test_splits_in_the_place_of_classes_are_a_trap(files, labels, tmp_path):
    source = folders(touch(tmp_path, *files))
    (finding,) = (each for each in source.findings if each.kind == "split_words")
    assert finding.trap
    assert labels in finding.text
    layout = "class/_" if "/" in labels else "class"
    assert not folders(tmp_path, folders=layout).findings


def test_test_set_without_labels_is_a_trap(tmp_path):
    files = ("train/mel/a.png", "train/nv/b.png", "test/images/c.png")
    kinds = {each.kind for each in folders(touch(tmp_path, *files)).findings if each.trap}
    assert "classes_of_other_splits" in kinds
    touch(tmp_path, "test/mel/d.png")
    assert "classes_of_other_splits" not in {each.kind for each in folders(tmp_path).findings}


def test_folders_of_patients_below_classes(tmp_path):
    files = ("mel/P1/a.png", "mel/P1/b.png", "mel/P2/c.png", "nv/P1/d.png", "nv/unknown/e.png")
    source = folders(touch(tmp_path, *files))
    assert not any(record.has_group for record in source.records)
    (finding,) = source.findings
    assert "4 folders lie below the class folders (mel/P1, mel/P2, nv/P1, nv/u" in finding.text
    assert finding.text.endswith("give --folders class/group")
    source = folders(tmp_path, folders="class/group")
    assert {record.file: record.group for record in source.records} == {
        "mel/P1/a.png": "P1",
        "mel/P1/b.png": "P1",
        "mel/P2/c.png": "P2",
        "nv/P1/d.png": "P1",
        "nv/unknown/e.png": "nv/unknown/e.png",
    }
    assert not source.findings


def test_given_layout_with_a_level_without_a_meaning(tmp_path):
    files = ("train/site1/mel/P1/a.png", "test/site2/nv/P2/b.png", "train/site1/stray.png")
    source = folders(touch(tmp_path, *files), folders="split/_/class/group")
    assert [(r.split, r.label, r.group) for r in source.records] == [
        ("test", "nv", "P2"),
        ("train", "mel", "P1"),
    ]
    assert [r.detail for r in source.rejections] == ["it is in no folder of split/_/class/group"]
    with pytest.raises(InputError, match=r"folder 'site.' in the place of a split"):
        folders(tmp_path, folders="_/split/class")


def test_group_of_a_table_by_folders(tmp_path):
    images = touch(tmp_path / "i", "P1/a.jpg", "P1/b.jpg", "P2/c.jpg")
    labels = table(tmp_path / "l.csv", "a,,nv", "b,L7,nv", "c,,mel")
    source = read(images, labels, folders="group")
    assert [(r.group, r.has_group) for r in source.records] == [
        ("P1", True),
        ("L7", True),
        ("P2", True),
    ]
    with pytest.raises(InputError, match="none of them class"):
        read(images, labels, folders="class/group")


@pytest.mark.parametrize("text", ["group", "class/class", "class/patient", "", "/", "_/_"])
def test_layouts_that_cannot_be_used(text):
    with pytest.raises(InputError, match="write what each level means"):
        parse_layout(text)


def test_folders_at_the_root_only():
    assert str(guess_layout(["a.png"], "images")) == "class"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train_Data", "train"),
        ("seg-test", "test"),
        ("ValidationSet", "validation"),
        ("TEST2", "test"),
        ("train_test", None),
        ("contest", None),
        ("latest", None),
        ("restrain", None),
    ],
)
def test_split_words_in_names(name, split):
    assert split_in_name(name) == split
