"""Labels from class folders and from a CSV; every file met is a record or a rejection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import Rejection, find
from tfrecords_tools.sources.files import has_image_suffix
from tfrecords_tools.sources.folders import from_class_folders
from tfrecords_tools.sources.listing import normalise, printable

NFC, NFD = "caf\u00e9", "cafe\u0301"


def touch(root: Path, *names: str) -> Path:
    """Empty files; sources do not open them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def table(path: Path, *rows: str, head: str = "image_id,lesion_id,dx") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def read(root: Path, labels: Path, **columns):
    names = {"id_column": "image_id", "label_column": "dx", "group_column": "lesion_id"}
    return find(root, BuildOptions(name="x", labels=labels, **(names | columns)))


def summary(source) -> list[tuple[str, str, str, str]]:
    return [(r.file, r.image_id, r.label, r.group) for r in source.records]


def reasons(source) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in source.rejections}


def test_class_folders(tmp_path):
    source = from_class_folders(touch(tmp_path, "nv/b.png", "nv/a.JPG", "mel/x/y/c.tif"))
    assert summary(source) == [
        ("mel/x/y/c.tif", "mel/x/y/c.tif", "mel", "mel/x/y/c.tif"),
        ("nv/a.JPG", "nv/a.JPG", "nv", "nv/a.JPG"),
        ("nv/b.png", "nv/b.png", "nv", "nv/b.png"),
    ]
    assert source.root == tmp_path
    assert not source.gives_splits
    assert source.rejections == ()


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
    source = from_class_folders(touch(tmp_path, f" {NFD} /a.png", "nv/b.png"))
    assert {record.label for record in source.records} == {NFC, "nv"}
    assert normalise(f"\t{NFD}\u00a0") == NFC


@pytest.mark.parametrize(("one", "other"), [(NFC, NFD), ("nv", "nv ")])
def test_folders_that_are_one_label(one, other, tmp_path):
    touch(tmp_path, f"{one}/a.png", f"{other}/b.png")
    with pytest.raises(InputError, match="once stripped and normalised: rename all but one"):
        from_class_folders(tmp_path)


@pytest.mark.parametrize("label", ["a\nb", "a\u2028b", "a\x85b"])
def test_label_with_a_line_break(label, tmp_path):
    with pytest.raises(InputError, match="has a line break"):
        from_class_folders(touch(tmp_path, f"{label}/a.png"))


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        from_class_folders(tmp_path / "nowhere")


def test_empty_folder(tmp_path):
    with pytest.raises(InputError, match="is empty: give the folder"):
        from_class_folders(tmp_path)


def test_folder_without_a_labelled_image(tmp_path):
    told = (
        r"no labelled image \(a\.png: label_missing, nv/notes\.txt: not_an_image\): expected class"
    )
    with pytest.raises(InputError, match=told):
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


def test_links(tmp_path):
    images = touch(tmp_path / "images", "nv/a.png", "nv/sub/b.png")
    touch(tmp_path, "elsewhere.png")
    (images / "nv" / "inside.png").symlink_to("a.png")
    (images / "nv" / "outside.png").symlink_to(tmp_path / "elsewhere.png")
    (images / "nv" / "dangling.png").symlink_to("nothing.png")
    (images / "nv" / "folder").symlink_to("sub")
    source = from_class_folders(images)
    assert [r.file for r in source.records] == ["nv/a.png", "nv/inside.png", "nv/sub/b.png"]
    assert reasons(source) == {
        "nv/outside.png": "outside_folder",
        "nv/dangling.png": "dangling_link",
        "nv/folder": "not_a_file",
    }


def test_names_that_are_not_utf8(tmp_path):
    touch(tmp_path, "nv/a.png", os.fsdecode(b"nv/caf\xe9.png"), os.fsdecode(b"\xff/b.png"))
    source = from_class_folders(tmp_path)
    assert reasons(source) == {"nv/caf\\xe9.png": "name_not_utf8", "\\xff/b.png": "name_not_utf8"}


def test_csv_names_files_in_any_way(tmp_path):
    images = touch(
        tmp_path / "i", "part1/a.jpg", "part1/b.jpg", "part2/c.jpg", "part2/deep/d.x.jpg"
    )
    labels = table(
        tmp_path / "l.csv", "a,g1,nv", "b.jpg,g1,mel", "part2/c.jpg,g2,nv", "part2/deep/d.x,,nv"
    )
    assert summary(read(images, labels)) == [
        ("part1/a.jpg", "a", "nv", "g1"),
        ("part1/b.jpg", "b.jpg", "mel", "g1"),
        ("part2/c.jpg", "part2/c.jpg", "nv", "g2"),
        ("part2/deep/d.x.jpg", "part2/deep/d.x", "nv", "part2/deep/d.x"),
    ]


def test_csv_without_groups(tmp_path):
    labels = table(tmp_path / "l.csv", "a,g1,nv")
    source = read(touch(tmp_path / "i", "a.jpg"), labels, group_column=None)
    assert source.records[0].group == "a"


def test_image_without_a_row_or_a_label(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg")
    source = read(images, table(tmp_path / "l.csv", "a,,nv", "b,, "))
    assert [record.file for record in source.records] == ["a.jpg"]
    assert source.rejections == (
        Rejection("b.jpg", "label_missing", "dx is empty"),
        Rejection("c.jpg", "label_missing", "no row of l.csv names it"),
    )


def test_sidecar_files_do_not_compete(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "a.json", "a.txt", "._a.jpg")
    source = read(images, table(tmp_path / "l.csv", "a,,nv"))
    assert [record.file for record in source.records] == ["a.jpg"]
    assert set(reasons(source).values()) == {"not_an_image"}


def test_row_of_a_file_that_is_rejected_for_its_name(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.dat")
    source = read(images, table(tmp_path / "l.csv", "a,,nv", "b,,nv"))
    assert reasons(source) == {"b.dat": "not_an_image"}


def test_rows_without_a_file(tmp_path):
    labels = table(tmp_path / "l.csv", "a,,nv", *(f"lost{n},,nv" for n in range(7)))
    told = r"7 rows of .*l\.csv name no file .*: lost0, lost1, lost2, lost3, lost4 and 2 more: add"
    with pytest.raises(InputError, match=told):
        read(touch(tmp_path / "i", "a.jpg"), labels)


def test_id_that_fits_several_files(tmp_path):
    images = touch(tmp_path / "i", "part1/a.jpg", "part2/a.jpg")
    labels = table(tmp_path / "l.csv", "a,,nv")
    with pytest.raises(InputError, match=r"'a' .*fits several files: part1/a\.jpg, part2/a\.jpg"):
        read(images, labels)


def test_two_ids_of_one_file(tmp_path):
    labels = table(tmp_path / "l.csv", "a,,nv", "a.jpg,,mel")
    with pytest.raises(InputError, match=r"ids 'a' and 'a\.jpg' of .* both name a\.jpg"):
        read(touch(tmp_path / "i", "a.jpg"), labels)


def test_row_twice(tmp_path):
    images = touch(tmp_path / "i", "a.jpg")
    assert len(read(images, table(tmp_path / "l.csv", "a,g,nv", "a,g,nv")).records) == 1
    with pytest.raises(InputError, match=r"two rows of 'a' that differ: .*nv.*mel"):
        read(images, table(tmp_path / "l.csv", "a,g,nv", "a,g,mel"))


def test_row_without_an_id(tmp_path):
    with pytest.raises(InputError, match="row without an id"):
        read(touch(tmp_path / "i", "a.jpg"), table(tmp_path / "l.csv", "a,g,nv", ",g,nv"))


@pytest.mark.parametrize(("one", "other"), [(NFC, NFD), ("nv", "nv ")])
def test_csv_labels_that_are_one(one, other, tmp_path):
    labels = table(tmp_path / "l.csv", f"a,g,{one}", f"b,g,{other}")
    with pytest.raises(InputError, match="once stripped and normalised"):
        read(touch(tmp_path / "i", "a.jpg", "b.jpg"), labels)


def test_missing_column(tmp_path):
    images, labels = touch(tmp_path / "i", "a.jpg"), table(tmp_path / "l.csv", "a,g,nv")
    with pytest.raises(InputError, match="no column 'diagnosis'; it has image_id, lesion_id, dx"):
        read(images, labels, label_column="diagnosis")
    with pytest.raises(InputError, match="no column 'patient'"):
        read(images, labels, group_column="patient")


def test_missing_csv(tmp_path):
    with pytest.raises(InputError, match=r"l\.csv is not a file"):
        read(touch(tmp_path / "i", "a.jpg"), tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column 'image_id'; it has none"),
        (b"image_id,lesion_id,dx\n\xe9,g,nv\n", "cannot be read as a UTF-8 CSV"),
        (b"image_id;lesion_id;dx\na;g;nv\n", "it has image_id;lesion_id;dx"),
        (b"image_id,lesion_id,dx\n" + b"x" * 200_000 + b",g,nv\n", "field larger than"),
    ],
)
def test_csv_that_is_none(content, told, tmp_path):
    (tmp_path / "l.csv").write_bytes(content)
    with pytest.raises(InputError, match=told):
        read(touch(tmp_path / "i", "a.jpg"), tmp_path / "l.csv")


def test_csv_from_a_spreadsheet(tmp_path):
    content = b'\xef\xbb\xbfimage_id,lesion_id,dx\r\n"a",g,"nv, atypical"\r\n'
    (tmp_path / "l.csv").write_bytes(content)
    source = read(touch(tmp_path / "i", "a.jpg"), tmp_path / "l.csv")
    assert summary(source) == [("a.jpg", "a", "nv, atypical", "g")]


@pytest.mark.parametrize(
    ("file", "meant"),
    [
        ("a/b.jpg", True),
        ("B.JPEG", True),
        ("._a.jpg", False),
        ("Thumbs.db", False),
        (".png", False),
    ],
)
def test_what_was_meant_as_an_image(file, meant):
    assert has_image_suffix(file) is meant


def test_printable_keeps_what_can_be_printed():
    assert printable("ünï.png") == "ünï.png"
    assert printable(os.fsdecode(b"\xe9\\.png")) == "\\xe9\\.png"


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train", "val", "test"), ("train", "validation", "test")),
        (("Training", "VALID", "Testing"), ("train", "validation", "test")),
        (("train", "validation"), ("train", "validation")),
        (("train",), ("train",)),
    ],
)
def test_given_split_folders(folders, splits, tmp_path):
    touch(tmp_path, *(f"{folder}/{label}/x.png" for folder in folders for label in ("nv", "mel")))
    source = from_class_folders(tmp_path)
    assert source.gives_splits
    assert {record.file.partition("/")[0]: record.split for record in source.records} == dict(
        zip(folders, splits, strict=True)
    )
    assert {record.label for record in source.records} == {"nv", "mel"}


def test_image_in_no_class_folder_of_a_split(tmp_path):
    source = from_class_folders(touch(tmp_path, "train/nv/a.png", "test/b.png", "c.png"))
    assert [record.file for record in source.records] == ["train/nv/a.png"]
    assert reasons(source) == {"test/b.png": "label_missing", "c.png": "label_missing"}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (("train/nv/a.png", "mel/b.png"), "folders train, which are named like splits, beside mel"),
        (("val/nv/a.png", "valid/nv/b.png"), "two folders for one split among val, valid"),
        (("train/a.png", "test/b.png"), "no class folder in them"),
    ],
)
def test_split_folders_that_cannot_be(files, told, tmp_path):
    with pytest.raises(InputError, match=told):
        from_class_folders(touch(tmp_path, *files))


ISIC = "image,MEL,NV,UNK"


def isic(tmp_path: Path, *rows: str, **options):
    """Labels and metadata in the manner of ISIC 2019."""
    images = touch(tmp_path / "i", "a.jpg", "b.jpg", "c_downsampled.jpg", "d.jpg")
    labels = table(tmp_path / "truth.csv", *rows, head=ISIC)
    metadata = table(
        tmp_path / "meta.csv",
        "a,55.0,head/neck,L1,female",
        "b,,,,",
        "c_downsampled,30.0,,L1,male",
        "elsewhere,1,,,",
        head="image,age_approx,anatom_site_general,lesion_id,sex",
    )
    fields = {
        "name": "x",
        "labels": labels,
        "metadata": metadata,
        "id_column": "image",
        "one_hot": True,
        "group_column": "lesion_id",
        "extra_columns": "age_approx:float,sex",
    }
    return find(images, BuildOptions(**(fields | options)))


def test_one_hot_labels_joined_with_metadata(tmp_path):
    source = isic(tmp_path, "a,1.0,0.0,0.0", "b,0,1,0", "c_downsampled,0.0,1.0,0.0", "d,1,0,0")
    assert summary(source) == [
        ("a.jpg", "a", "MEL", "L1"),
        ("b.jpg", "b", "NV", "b"),
        ("c_downsampled.jpg", "c_downsampled", "NV", "L1"),
        ("d.jpg", "d", "MEL", "d"),
    ]
    assert [column.name for column in source.columns] == ["age_approx", "sex"]
    assert [repr(record.extras) for record in source.records] == [
        "(55.0, 'female')",
        "(nan, '')",
        "(30.0, 'male')",
        "(nan, '')",
    ]
    assert source.labels == {"MEL", "NV", "UNK"}


def test_rows_that_mark_no_class_or_two(tmp_path):
    source = isic(tmp_path, "a,1,0,0", "b,0,0,0", "c_downsampled,1,1,0", "d,,1.0,")
    assert [record.image_id for record in source.records] == ["a", "d"]
    assert source.rejections == (
        Rejection("b.jpg", "label_missing", "its row of truth.csv marks no class"),
        Rejection("c_downsampled.jpg", "label_conflict", "its row marks MEL and NV"),
    )


@pytest.mark.parametrize("cell", ["0.5", "yes", "2", "-1"])
def test_one_hot_cell_that_is_none(cell, tmp_path):
    with pytest.raises(
        InputError, match=rf"line 2: one-hot column MEL must be 0 or 1, got '{cell}'"
    ):
        isic(tmp_path, f"a,{cell},0,0")


def test_column_that_neither_table_has(tmp_path):
    with pytest.raises(InputError, match=r"no column 'patient' in .*truth\.csv and .*meta\.csv"):
        isic(tmp_path, "a,1,0,0", group_column="patient")


def test_metadata_without_the_id(tmp_path):
    other = table(tmp_path / "other.csv", "a,1", head="name,lesion_id")
    with pytest.raises(InputError, match=r"other\.csv has no column 'image'"):
        isic(tmp_path, "a,1,0,0", metadata=other)


def test_two_rows_of_metadata_that_differ(tmp_path):
    other = table(tmp_path / "o.csv", "a,L1,,", "a,L2,,", head="image,lesion_id,sex,age_approx")
    with pytest.raises(InputError, match="two rows of 'a' that differ"):
        isic(tmp_path, "a,1,0,0", metadata=other)


def test_rows_that_lack_the_same_number_are_equal(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    rows = ("a,g,nv,", "a,g,nv,NA", "b,g,mel,50")
    labels = table(tmp_path / "l.csv", *rows, head="image_id,lesion_id,dx,age")
    source = read(images, labels, extra_columns="age:float")
    assert [repr(record.extras) for record in source.records] == ["(nan,)", "(50.0,)"]


def test_split_column(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(
        tmp_path / "l.csv", "a,g,nv,Train", "b,g,mel,val", head="image_id,lesion_id,dx,set"
    )
    source = read(images, labels, split_column="set")
    assert [record.split for record in source.records] == ["train", "validation"]
    labels = table(tmp_path / "l.csv", "a,g,nv,", "b,g,mel,x", head="image_id,lesion_id,dx,set")
    with pytest.raises(InputError, match="line 2: split is '', it must be one of train, valid"):
        read(images, labels, split_column="set")


def test_row_with_more_cells_than_the_head(tmp_path):
    labels = table(tmp_path / "l.csv", "a,g,naevus, atypical")
    with pytest.raises(InputError, match="line 2 has more cells than the header"):
        read(touch(tmp_path / "i", "a.jpg"), labels)


def test_row_with_fewer_cells(tmp_path):
    source_images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    source = read(source_images, table(tmp_path / "l.csv", "a,g,nv", "b"))
    assert reasons(source) == {"b.jpg": "label_missing"}


def test_unnamed_first_column_as_pandas_writes_it(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "b.jpg")
    labels = table(tmp_path / "l.csv", "0,a,g,nv", "1,b,g,mel", head=",image_id,lesion_id,dx")
    assert len(read(images, labels).records) == 2


@pytest.mark.parametrize(
    "option",
    [
        {"group_column": "x"},
        {"metadata": "x"},
        {"one_hot": True},
        {"split_column": "x"},
        {"extra_columns": "x"},
    ],
)
def test_options_of_tables_need_one(option):
    with pytest.raises(InputError, match="needs a CSV by labels"):
        BuildOptions(name="x", **option)
