"""A table that merges, renames and leaves out classes."""

from __future__ import annotations

import pytest

from tests.listings import COMPOSED, DECOMPOSED, reasons, summary, table, touch
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import Source, list_source
from tfrecords_tools.sources.folders import from_class_folders
from tfrecords_tools.sources.label_map import apply_label_map, read_label_map


def label_map(path, *rows: str):
    return table(path / "map.csv", *rows, head="from,to")


def folders(path) -> Source:
    return from_class_folders(touch(path / "i", "nv/a.png", "mel/b.png", "bcc/c.png", "df/d.png"))


def test_merge_rename_leave_out_and_keep(tmp_path):
    path = label_map(tmp_path, "mel,malignant", "bcc, malignant", "df,")
    folders(tmp_path)
    source = list_source(tmp_path / "i", BuildOptions(name="x", label_map=path))
    assert summary(source) == [
        ("bcc/c.png", "bcc/c.png", "malignant", "bcc/c.png"),
        ("mel/b.png", "mel/b.png", "malignant", "mel/b.png"),
        ("nv/a.png", "nv/a.png", "nv", "nv/a.png"),
    ]
    assert reasons(source) == {"df/d.png": "label_excluded"}
    assert source.rejections[0].detail == "the label map leaves df out"
    assert source.labels == {"malignant", "nv"}


def test_classes_that_trade_names(tmp_path):
    source = apply_label_map(folders(tmp_path), {"nv": "mel", "mel": "nv"})
    assert {r.file: r.label for r in source.records} == {
        "nv/a.png": "mel",
        "mel/b.png": "nv",
        "bcc/c.png": "bcc",
        "df/d.png": "df",
    }


def test_all_else_is_kept(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "stray.jpg")
    labels = table(
        tmp_path / "l.csv", "a,g,nv,train,50", "b,g,mel,test,", head="image_id,g,label,fold,age"
    )
    options = BuildOptions(
        name="x", labels=labels, group_column="g", split_column="fold", extra_columns="age:int"
    )
    before = list_source(images, options)
    after = apply_label_map(before, {"nv": "naevus"})
    assert after.columns == before.columns
    assert after.rejections == before.rejections
    assert [(r.label, r.group, r.split, r.extras) for r in after.records] == [
        ("naevus", "g", "train", (50,)),
        ("mel", "g", "test", (-1,)),
    ]


def test_class_without_an_image_may_be_named(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "a,1,0,0", "b,0,1,0", head="image_id,MEL,NV,UNK")
    path = label_map(tmp_path, "UNK,", "NV,MEL")
    source = list_source(
        images, BuildOptions(name="x", labels=labels, one_hot=True, label_map=path)
    )
    assert [record.label for record in source.records] == ["MEL", "MEL"]
    assert source.labels == {"MEL"}


def test_unknown_class(tmp_path):
    message = "names NV, scc, which no image has; there are bcc, df, mel, nv"
    with pytest.raises(InputError, match=message):
        apply_label_map(folders(tmp_path), {"scc": "x", "NV": "x", "nv": "y"})


def test_no_class_is_left(tmp_path):
    with pytest.raises(InputError, match=r"holds no labelled image \(.*label_excluded"):
        apply_label_map(folders(tmp_path), dict.fromkeys(("nv", "mel", "bcc", "df"), ""))


def test_names_are_normalised(tmp_path):
    path = label_map(tmp_path, f" {DECOMPOSED} ,{DECOMPOSED}2", "nv\t,")
    assert read_label_map(path) == {COMPOSED: f"{COMPOSED}2", "nv": ""}


def test_table_from_a_spreadsheet(tmp_path):
    (tmp_path / "map.csv").write_bytes(b'\xef\xbb\xbffrom,to\r\n"a, b",c\r\n\r\n')
    assert read_label_map(tmp_path / "map.csv") == {"a, b": "c"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must have the columns from,to; it has none"),
        (b"old,new\nnv,x\n", r"must have the columns from,to; it has \['old', 'new'\]"),
        (b"from,to\nnv,x\nnv,x\n", "line 3: from is 'nv', which is blank or repeated"),
        (b"from,to\nnv,x\nmel,x\n nv,y\n", "line 4: from is 'nv'"),
        (b"from,to\n ,x\n", "line 2: from is ''"),
        (b"from,to\n\xe9,x\n", "cannot be read as a UTF-8 CSV"),
        (b"from,to\n" + b"x" * 200_000 + b",y\n", "field larger than"),
        (b"from,to\nnv,benign, typical\n", "does not have two cells"),
        (b"from,to\nnv\n", "line 2 does not have two cells"),
    ],
)
def test_tables_that_cannot_be_used(content, message, tmp_path):
    (tmp_path / "map.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_label_map(tmp_path / "map.csv")
