"""Label maps: classes merged, renamed, left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.tfrecords_tools.test_sources import table, touch
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import find


def mapped(tmp_path: Path, *rows: str, head: str = "from,to"):
    images = touch(tmp_path / "i", "akiec/a.png", "bcc/b.png", "nv/c.png", "df/d.png")
    label_map = table(tmp_path / "map.csv", *rows, head=head)
    return find(images, BuildOptions(name="x", label_map=label_map))


def test_merged_renamed_and_left_out(tmp_path):
    source = mapped(tmp_path, "akiec,carcinoma", "bcc, carcinoma ", "df,", "nv,naevus")
    assert Counter(record.label for record in source.records) == {"carcinoma": 2, "naevus": 1}
    assert source.labels == {"carcinoma", "naevus"}
    (rejection,) = source.rejections
    assert (rejection.file, rejection.reason) == ("df/d.png", "label_excluded")
    assert rejection.detail == "the label map leaves df out"


def test_classes_that_are_not_named_stay(tmp_path):
    assert mapped(tmp_path, "nv,mole").labels == {"akiec", "bcc", "df", "mole"}


def test_names_may_be_swapped(tmp_path):
    source = mapped(tmp_path, "nv,df", "df,nv")
    labels = {record.file: record.label for record in source.records}
    assert (labels["nv/c.png"], labels["df/d.png"]) == ("df", "nv")


def test_class_of_a_table_without_an_image_may_be_mapped(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "a,1,0,0", "b,0,1,0", head="image_id,MEL,NV,UNK")
    label_map = table(tmp_path / "map.csv", "UNK,", head="from,to")
    source = find(images, BuildOptions(name="x", labels=labels, one_hot=True, label_map=label_map))
    assert source.labels == {"MEL", "NV"}


@pytest.mark.parametrize(
    ("rows", "head", "told"),
    [
        (["mole,nv"], "from,to", "names mole, which no image has; there are akiec, bcc, df, nv"),
        (["nv,a", "nv,b"], "from,to", "line 3: from is 'nv', which is blank or stands above"),
        ([",a"], "from,to", "line 2: from is ''"),
        (["nv,a"], "old,new", "must have the columns from,to; it has"),
        (["nv,", "akiec,", "bcc,", "df,"], "from,to", "no labelled image"),
    ],
)
def test_maps_that_cannot_be(rows, head, told, tmp_path):
    with pytest.raises(InputError, match=told):
        mapped(tmp_path, *rows, head=head)


def test_missing_map(tmp_path):
    images = touch(tmp_path / "i", "nv/a.png")
    with pytest.raises(InputError, match=r"map\.csv is not a file"):
        find(images, BuildOptions(name="x", label_map=tmp_path / "map.csv"))
