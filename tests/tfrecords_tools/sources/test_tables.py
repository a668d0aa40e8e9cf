"""Labels, groups, splits and columns from CSVs: one row per image, names or one-hot."""

from __future__ import annotations

import math

import pytest

from tests.listings import (
    COMPOSED,
    DECOMPOSED,
    ISIC,
    marks,
    read,
    read_isic,
    reasons,
    summary,
    table,
    touch,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.records.schema import Column
from tfrecords_tools.sources import Rejection, Source, list_source

ISIC_METADATA = "image,age_approx,anatom_site_general,lesion_id,sex"


def test_table_without_groups(tmp_path):
    labels = table(tmp_path / "l.csv", "a,g1,nv")
    source = read(touch(tmp_path / "i", "a.jpg"), labels, group_column=None)
    assert source.records[0].group == "a"
    assert not source.gives_splits


def test_image_without_a_row_or_a_label(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    source = read(images, table(tmp_path / "l.csv", "a,,nv", "b,, "))
    assert [record.file for record in source.records] == ["a.jpg"]
    assert source.rejections == (
        Rejection("b.jpg", "label_missing", "dx is empty"),
        Rejection("c.jpg", "label_missing", "no row of l.csv names it"),
    )


def test_row_twice(tmp_path):
    images = touch(tmp_path / "i", "a.jpg")
    assert len(read(images, table(tmp_path / "l.csv", "a,g,nv", "a,g,nv")).records) == 1
    with pytest.raises(InputError, match=r"two rows of 'a' that differ: .*nv.*mel"):
        read(images, table(tmp_path / "l.csv", "a,g,nv", "a,g,mel"))
    with pytest.raises(InputError, match=r"two rows of 'a' that differ: .*'g'.*'h'"):
        read(images, table(tmp_path / "l.csv", "a,g,nv", "a,h,nv"))


def test_row_twice_with_columns(tmp_path):
    images, head = touch(tmp_path / "i", "a.jpg"), "image_id,dx,age"

    def read_ages(*ages: str) -> Source:
        labels = table(tmp_path / "l.csv", *(f"a,nv,{age}" for age in ages), head=head)
        return read(images, labels, group_column=None, extra_columns="age:float")

    assert math.isnan(read_ages("", "NA", "nan").records[0].extras[0])
    assert read_ages("50", "50.0").records[0].extras == (50.0,)
    with pytest.raises(InputError, match=r"differ: \('nv', '', 50.0\) and \('nv', '', nan\)"):
        read_ages("50", "")


@pytest.mark.parametrize(("one", "other"), [(COMPOSED, DECOMPOSED), ("nv", "nv ")])
def test_labels_that_are_one(one, other, tmp_path):
    labels = table(tmp_path / "l.csv", f"a,g,{one}", f"b,g,{other}")
    with pytest.raises(InputError, match="once stripped and normalised"):
        read(touch(tmp_path / "i", "a.jpg", "b.jpg"), labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_column": "diagnosis"}, "no column 'diagnosis'; it has image_id, lesion_id, dx"),
        ({"id_column": "image"}, "no column 'image'"),
        ({"group_column": "patient"}, "no column 'patient' in .*; there are image_id, lesion_id"),
        ({"split_column": "fold"}, "no column 'fold'"),
        ({"extra_columns": "age"}, "no column 'age'"),
    ],
)
def test_missing_column(options, message, tmp_path):
    images, labels = touch(tmp_path / "i", "a.jpg"), table(tmp_path / "l.csv", "a,g,nv")
    with pytest.raises(InputError, match=message):
        read(images, labels, **options)


def test_missing_tables(tmp_path):
    images = touch(tmp_path / "i", "a.jpg")
    with pytest.raises(InputError, match=r"l\.csv is not a file"):
        read(images, tmp_path / "l.csv")
    labels = table(tmp_path / "l.csv", "a,g,nv")
    with pytest.raises(InputError, match=r"m\.csv is not a file"):
        read(images, labels, metadata=tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'image_id'; it has none"),
        (b"image_id,lesion_id,dx\n\xe9,g,nv\n", "cannot be read as a UTF-8 CSV"),
        (b"image_id|lesion_id|dx\na|g|nv\n", r"it has image_id\|lesion_id\|dx"),
        (b"image_id,lesion_id,dx\n" + b"x" * 200_000 + b",g,nv\n", "field larger than"),
        (b"image_id,lesion_id,dx\na,g,nv, atypical\n", "line 2 has more cells than the header"),
    ],
)
@pytest.mark.parametrize("which", ["labels", "metadata"])
def test_table_that_cannot_be_read(which, content, message, tmp_path):
    tables = {"labels": table(tmp_path / "l.csv", "a,g,nv"), which: tmp_path / "bad.csv"}
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(touch(tmp_path / "i", "a.jpg"), **tables)


def test_table_from_a_spreadsheet(tmp_path):
    content = b'\xef\xbb\xbfimage_id,lesion_id,dx\r\n"a",g,"nv, atypical",,\r\n\r\n'
    (tmp_path / "l.csv").write_bytes(content)
    source = read(touch(tmp_path / "i", "a.jpg"), tmp_path / "l.csv")
    assert summary(source) == [("a.jpg", "a", "nv, atypical", "g")]


def test_cells_that_a_short_row_lacks_are_blank(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "a,nv", "b", head="image_id,dx,lesion_id,age")
    source = read(images, labels, extra_columns="age:int")
    assert summary(source) == [("a.jpg", "a", "nv", "a")]
    assert source.records[0].extras == (-1,)
    assert reasons(source) == {"b.jpg": "label_missing"}


def test_unnamed_first_column_as_pandas_writes_it(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "0,a,g,nv", "1,b,g,mel", head=",image_id,lesion_id,dx")
    metadata = table(tmp_path / "m.csv", "0,a,50", "1,b,60", head=",image_id,age")
    source = read(images, labels, metadata=metadata, extra_columns="age:int")
    assert summary(source) == [("a.jpg", "a", "nv", "g"), ("b.jpg", "b", "mel", "g")]
    assert [record.extras for record in source.records] == [(50,), (60,)]


def test_extra_columns(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(
        tmp_path / "l.csv",
        "a,g,nv,male,55.5,3",
        "b,g,mel, NA ,nan,",
        head="image_id,lesion_id,dx,sex,age,visits",
    )
    source = read(images, labels, extra_columns="age:float,sex,visits:int")
    assert source.columns == (
        Column("age", "float"),
        Column("sex", "text"),
        Column("visits", "int"),
    )
    assert source.records[0].extras == (55.5, "male", 3)
    age, *others = source.records[1].extras
    assert math.isnan(age)
    assert others == ["", -1]


def test_cell_that_cannot_be_read(tmp_path):
    labels = table(tmp_path / "l.csv", "a,nv,50", "b,nv,fifty", head="image_id,dx,age")
    with pytest.raises(InputError, match=r"l\.csv, line 3: age is 'fifty'"):
        read(
            touch(tmp_path / "i", "a.jpg", "b.jpg"),
            labels,
            group_column=None,
            extra_columns="age:int",
        )


def test_splits_from_a_column(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    head = "image_id,lesion_id,dx,fold"
    labels = table(tmp_path / "l.csv", "a,,nv,Train", "b,,nv,val", "c,,mel, test ", head=head)
    source = read(images, labels, split_column="fold")
    assert [record.split for record in source.records] == ["train", "validation", "test"]
    assert source.gives_splits
    table(labels, "a,,nv,train", "b,,nv,", "c,,mel,test", head=head)
    with pytest.raises(InputError, match=r"l\.csv, line 3: the split column fold .*blank"):
        read(images, labels, split_column="fold")


def test_metadata_as_isic_2019_has_it(tmp_path):
    images = touch(tmp_path / "i", *(f"{name}.jpg" for name in "abcd"))
    labels = table(
        tmp_path / "l.csv", *(marks(name, "NV") for name in "abcd"), "", head=ISIC
    )  # a blank line, as at the end of the challenge's own files
    metadata = table(
        tmp_path / "m.csv",
        "b,55.0,anterior torso,BCN_1,female",
        "a,,,BCN_1,",
        "c,30.0,head/neck,,male",
        "not_in_the_folder,30.0,,BCN_2,male",
        head=ISIC_METADATA,
    )
    source = read_isic(
        images,
        labels,
        metadata,
        group_column="lesion_id",
        extra_columns="age_approx:float,sex,anatom_site_general",
    )
    assert [record.group for record in source.records] == ["BCN_1", "BCN_1", "c", "d"]
    extras = {record.image_id: record.extras for record in source.records}
    assert extras["b"] == (55.0, "female", "anterior torso")
    assert extras["c"] == (30.0, "male", "head/neck")
    for image_id in "ad":
        assert math.isnan(extras[image_id][0])
        assert extras[image_id][1:] == ("", "")


def test_column_that_neither_table_has(tmp_path):
    labels = table(tmp_path / "l.csv", "a,nv", head="image_id,dx")
    metadata = table(tmp_path / "m.csv", "a,50", head="image_id,age")
    message = (
        r"no column 'lesion_id' in .*l\.csv and .*m\.csv; there are image_id, dx, image_id, age"
    )
    with pytest.raises(InputError, match=message):
        read(touch(tmp_path / "i", "a.jpg"), labels, metadata=metadata)


def test_metadata_rows_twice(tmp_path):
    images = touch(tmp_path / "i", "a.jpg")
    labels = table(tmp_path / "l.csv", "a,nv", head="image_id,dx")
    head = "image_id,lesion_id,note"
    metadata = table(tmp_path / "m.csv", "a,g,one", "a,g,other", head=head)
    assert read(images, labels, metadata=metadata).records[0].group == "g"
    table(metadata, "a,g,one", "a,h,one", head=head)
    with pytest.raises(InputError, match=r"m\.csv has two rows of 'a' that differ"):
        read(images, labels, metadata=metadata)


def test_table_of_labels_comes_first(tmp_path):
    labels = table(tmp_path / "l.csv", "a,mine,nv")
    metadata = table(tmp_path / "m.csv", "a,theirs,mel,5", head="image_id,lesion_id,dx,age")
    source = read(
        touch(tmp_path / "i", "a.jpg"), labels, metadata=metadata, extra_columns="age:int"
    )
    assert summary(source) == [("a.jpg", "a", "nv", "mine")]
    assert source.records[0].extras == (5,)


def test_splits_from_metadata(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "a,,nv", "b,,mel")
    metadata = table(tmp_path / "m.csv", "a,train", head="image_id,fold")
    with pytest.raises(InputError, match=r"l\.csv, line 3: the split column fold .*blank"):
        read(images, labels, metadata=metadata, split_column="fold")
    table(metadata, "a,train", "b,testing", head="image_id,fold")
    source = read(images, labels, metadata=metadata, split_column="fold")
    assert [record.split for record in source.records] == ["train", "test"]


def test_metadata_whose_ids_are_written_in_another_way(tmp_path):
    labels = table(tmp_path / "l.csv", marks("a", "NV"), head=ISIC)
    other = table(tmp_path / "meta.csv", "a.jpg,L1", head="image,lesion_id")
    with pytest.raises(InputError, match=r"no id in common: the one has 'a\.jpg', the other 'a'"):
        read_isic(touch(tmp_path / "i", "a.jpg"), labels, metadata=other, group_column="lesion_id")


def test_column_that_occurs_twice(tmp_path):
    labels = table(tmp_path / "l.csv", "a,nv,bcc", head="image_id,label,label")
    with pytest.raises(InputError, match="two columns called label: rename one"):
        list_source(touch(tmp_path / "i", "a.jpg"), BuildOptions(name="x", labels=labels))


def test_id_of_an_image_without_a_group_that_is_a_group(tmp_path):
    labels = table(tmp_path / "l.csv", "a,nv,b", "b,mel,", head="image_id,label,lesion")
    options = BuildOptions(name="x", labels=labels, group_column="lesion")
    with pytest.raises(InputError, match="image 'b' has no group, and its id, which replaces"):
        list_source(touch(tmp_path / "i", "a.jpg", "b.jpg"), options)


@pytest.mark.parametrize("cell", ["", " ", "NA", "nan", "null", "None", " n/a "])
def test_missing_group_is_no_group(cell, tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    source = read(images, table(tmp_path / "l.csv", f"a,{cell},nv", f"b,{cell},mel", "c,g,nv"))
    assert [(record.group, record.has_group) for record in source.records] == [
        ("a", False),
        ("b", False),
        ("g", True),
    ]


@pytest.mark.parametrize("cell", ["NA", "NaN", " null ", "none"])
def test_missing_label_is_no_class(cell, tmp_path):
    labels = table(tmp_path / "l.csv", "a,g,nv", f"b,h,{cell}")
    source = read(touch(tmp_path / "i", "a.jpg", "b.jpg"), labels)
    assert source.labels == {"nv"}
    assert source.rejections == (Rejection("b.jpg", "label_missing", f"dx is {cell!r}"),)


def test_missing_group_in_one_of_two_equal_rows(tmp_path):
    labels = table(tmp_path / "l.csv", "a,NA,nv", "a,,nv")
    assert len(read(touch(tmp_path / "i", "a.jpg"), labels).records) == 1


def test_two_rows_of_one_composed_id(tmp_path):
    labels = table(tmp_path / "l.csv", f"{COMPOSED},g,nv", f"{DECOMPOSED},h,nv")
    with pytest.raises(InputError, match=r"two rows of .* that differ"):
        read(touch(tmp_path / "i", f"{COMPOSED}.jpg"), labels)


def test_row_of_bare_commas_is_reported_by_its_line(tmp_path):
    with pytest.raises(InputError, match=r"l\.csv, line 3 is a row without an id"):
        read(touch(tmp_path / "i", "a.jpg"), table(tmp_path / "l.csv", "a,g,nv", ",,"))


def find(source, kind):
    return [finding for finding in source.findings if finding.kind == kind]


def test_labels_by_lesion_with_two_images_each(tmp_path):
    """The two tables of MILK10k."""
    files = ("L1/a.jpg", "L1/b.jpg", "L2/c.jpg", "L2/d.jpg", "L3/e.jpg")
    images = touch(tmp_path / "i", *files)
    labels = table(tmp_path / "l.csv", "L1,1.0,0.0", "L2,0.0,1.0", head="lesion_id,MEL,NV")
    metadata = table(
        tmp_path / "m.csv",
        *("L1,clinical: close-up,a,60", "L1,dermoscopic,b,60", "L2,dermoscopic,c,"),
        *("L2,clinical: close-up,d,", "L3,dermoscopic,e,30"),
        head="lesion_id,image_type,isic_id,age_approx",
    )
    options = {"id_column": "isic_id", "one_hot": True, "metadata": metadata}
    options["extra_columns"] = "image_type,age_approx:float"
    with pytest.raises(
        InputError, match=r"has no column 'isic_id', .* give --join_column lesion_id"
    ):
        read(images, labels, **options)
    source = read(images, labels, **options, join_column="lesion_id")
    assert summary(source) == [
        ("L1/a.jpg", "a", "MEL", "L1"),
        ("L1/b.jpg", "b", "MEL", "L1"),
        ("L2/c.jpg", "c", "NV", "L2"),
        ("L2/d.jpg", "d", "NV", "L2"),
    ]
    assert source.records[1].extras == ("dermoscopic", 60.0)
    assert reasons(source) == {"L3/e.jpg": "label_missing"}
    table(labels, "L1,1,0", "L2,0,1", "L9,0,1", head="lesion_id,MEL,NV")
    with pytest.raises(InputError, match=r"1 rows of .*l\.csv have no image in .*: lesion_id L9"):
        read(images, labels, **options, join_column="lesion_id")


def test_labels_by_patient_in_one_column(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "P1,nv", "P2,mel", head="patient,dx")
    metadata = table(tmp_path / "m.csv", "a,P1,L1", "b,P2,L1", head="image_id,patient,lesion_id")
    source = read(images, labels, metadata=metadata, join_column="patient")
    assert summary(source) == [("a.jpg", "a", "nv", "L1"), ("b.jpg", "b", "mel", "L1")]


def test_cells_with_several_labels(tmp_path):
    images = touch(tmp_path / "i", *(f"{name}.jpg" for name in "abcde"))
    rows = ("a,,acne|tinea", "b,,acne", "c,,tinea|eczema", "d,,'nevus, atypical'", "e,,acne/tinea")
    labels = table(tmp_path / "l.csv", *(row.replace("'", '"') for row in rows))
    source = read(images, labels)
    assert {record.label for record in source.records} == {"acne", "nevus, atypical"}
    assert source.labels == {"acne", "nevus, atypical"}
    assert {r.file: (r.reason, r.detail) for r in source.rejections} == {
        "a.jpg": ("label_conflict", "its row names 2 classes: acne, tinea"),
        "c.jpg": ("label_conflict", "its row names 2 classes: tinea, eczema"),
        "e.jpg": ("label_conflict", "its row names 2 classes: acne, tinea"),
    }
    label_map = table(tmp_path / "map.csv", "acne|tinea,both", head="from,to")
    assert "both" in read(images, labels, label_map=label_map).labels


@pytest.mark.parametrize("cell", ["\"{'acne': 0.5, 'tinea': 0.5}\"", '"[""acne""]"', "['acne']"])
def test_cells_with_lists_of_labels(cell, tmp_path):
    labels = table(tmp_path / "l.csv", "a,,acne", f"b,,{cell}")
    with pytest.raises(InputError, match=r"line 3: dx is .* a list or numbers by label: write one"):
        read(touch(tmp_path / "i", "a.jpg", "b.jpg"), labels)


def test_a_class_called_none(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    labels = table(tmp_path / "l.csv", "a,,None", "b,,None", "c,,mel")
    (finding,) = find(read(images, labels), "missing_labels")
    assert finding.trap
    assert finding.text.startswith("dx is 'None' in 2 rows, which were rejected as label_missing")
    label_map = table(tmp_path / "map.csv", "None,healthy", head="from,to")
    source = read(images, labels, label_map=label_map)
    assert [record.label for record in source.records] == ["healthy", "healthy", "mel"]
    assert not source.findings
    table(label_map, "None,", head="from,to")
    source = read(images, labels, label_map=label_map)
    assert reasons(source) == dict.fromkeys(("a.jpg", "b.jpg"), "label_excluded")
    assert not any(rejection.wanted for rejection in source.rejections)
    assert not source.findings


def test_missing_labels_are_said(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    source = read(images, table(tmp_path / "l.csv", "a,,NA", "b,,", "c,,mel"))
    (finding,) = source.findings
    assert (finding.kind, finding.trap) == ("missing_labels", False)
    assert "dx is 'NA' in 1 rows" in finding.text


def test_names_of_columns_with_blanks(tmp_path):
    labels = table(tmp_path / "l.csv", "a, nv, L1", "b, mel, L2", head="image_id, dx, lesion_id")
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    plain = read(images, labels)
    assert summary(plain) == [("a.jpg", "a", "nv", "L1"), ("b.jpg", "b", "mel", "L2")]
    assert read(images, labels, label_column=" dx", group_column="lesion_id ") == plain
