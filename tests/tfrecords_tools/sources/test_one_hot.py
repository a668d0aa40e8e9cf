"""Labels from one-hot columns, as in the tables of ISIC and of pandas."""

from __future__ import annotations

import pytest

from tests.listings import (
    COMPOSED,
    DECOMPOSED,
    ISIC,
    marks,
    read_isic,
    reasons,
    summary,
    table,
    touch,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.sources import Rejection


def test_one_hot(tmp_path):
    images = touch(tmp_path / "i", *(f"{name}.jpg" for name in "abcd"))
    labels = table(
        tmp_path / "l.csv",
        marks("a", "MEL"),
        marks("b", "UNK", mark="1"),
        marks("c"),
        marks("d", "NV", "SCC"),
        head=ISIC,
    )
    source = read_isic(images, labels)
    assert summary(source) == [("a.jpg", "a", "MEL", "a"), ("b.jpg", "b", "UNK", "b")]
    assert source.rejections == (
        Rejection(
            *("c.jpg", "label_missing"),
            "its row of l.csv marks no class (--unmarked_class NAME gives such rows a class)",
        ),
        Rejection("d.jpg", "label_conflict", "its row marks NV and SCC"),
    )
    assert source.labels == set(ISIC.split(",")[1:])


@pytest.mark.parametrize("mark", ["0.5", "2", "-1", "yes", "nan"])
def test_one_hot_cell_that_is_neither(mark, tmp_path):
    labels = table(tmp_path / "l.csv", marks("a", "DF"), marks("b", "DF", mark=mark), head=ISIC)
    message = rf"l\.csv, line 3: one-hot column DF must be 0 or 1, got '{mark}'"
    with pytest.raises(InputError, match=message):
        read_isic(touch(tmp_path / "i", "a.jpg", "b.jpg"), labels)


def test_one_hot_blank_is_not_marked(tmp_path):
    labels = table(tmp_path / "l.csv", "a,,1", head="image,nv,mel")
    assert read_isic(touch(tmp_path / "i", "a.jpg"), labels).records[0].label == "mel"


def test_one_hot_without_classes(tmp_path):
    labels = table(tmp_path / "l.csv", "a,g,1", head="image,lesion_id,mel")
    with pytest.raises(InputError, match="no one-hot columns beside"):
        read_isic(touch(tmp_path / "i", "a.jpg"), labels, group_column="lesion_id")


def test_one_hot_classes_that_are_one_label(tmp_path):
    labels = table(tmp_path / "l.csv", "a,0,1", head=f"image,{COMPOSED},{DECOMPOSED}")
    with pytest.raises(InputError, match="once stripped and normalised"):
        read_isic(touch(tmp_path / "i", "a.jpg"), labels)


def test_one_hot_unnamed_first_column_is_no_class(tmp_path):
    rows = [f"{number},{marks(name, 'NV')}" for number, name in enumerate("abc")]
    labels = table(tmp_path / "l.csv", *rows, head=f",{ISIC}")
    source = read_isic(touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg"), labels)
    assert {record.label for record in source.records} == {"NV"}
    assert len(source.records) == 3


def test_flag_columns_next_to_one_hot_columns(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    labels = table(
        tmp_path / "l.csv", "a,1,0,1,7", "b,0,1,1,8", "c,1,0,0,9", head="image,NV,MEL,biopsy,no"
    )
    with pytest.raises(InputError, match=r"column no must be 0 or 1.* --one_hot_columns"):
        read_isic(images, labels)
    with pytest.raises(
        InputError, match=r"2 rows that mark biopsy marks another .*one_hot_columns"
    ):
        read_isic(images, labels, extra_columns="no:int")
    source = read_isic(images, labels, one_hot_columns=' NV,"MEL"')
    assert [record.label for record in source.records] == ["NV", "MEL", "NV"]
    assert read_isic(images, labels, one_hot_columns=["NV", "MEL"]).labels == {"NV", "MEL"}
    with pytest.raises(InputError, match="no column 'BCC'"):
        read_isic(images, labels, one_hot_columns="NV,BCC")


def test_rows_that_mark_no_class(tmp_path):
    """The challenge of 2017: no mark means a nevus."""
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    labels = table(tmp_path / "l.csv", "a,1,0", "b,0,0", "c,0,1", head="image,melanoma,keratosis")
    assert reasons(read_isic(images, labels)) == {"b.jpg": "label_missing"}
    source = read_isic(images, labels, unmarked_class="nevus")
    assert [record.label for record in source.records] == ["melanoma", "nevus", "keratosis"]
    assert source.labels == {"melanoma", "nevus", "keratosis"}
    two = table(tmp_path / "l.csv", "a,1", "b,0", "c,0", head="image,malignant")
    source = read_isic(images, two, unmarked_class="benign")
    assert [record.label for record in source.records] == ["malignant", "benign", "benign"]


def test_one_hot_columns_of_pandas(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    rows = ("0,a,True,False", "1,b,False,True")
    labels = table(tmp_path / "l.csv", *rows, head="Unnamed: 0,image,MEL,NV")
    source = read_isic(images, labels)
    assert [record.label for record in source.records] == ["MEL", "NV"]
    assert source.labels == {"MEL", "NV"}
