"""Which file an id means: by path or name, with or without suffix, in composed form."""

from __future__ import annotations

import pytest

from tests.listings import COMPOSED, DECOMPOSED, read, reasons, summary, table, touch
from tfrecords_tools.errors import InputError


def test_ids_name_files_in_any_way(tmp_path):
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
    message = (
        r"7 rows of .*l\.csv name no file .*: lost0, lost1, lost2, lost3, lost4 and 2 more: add"
    )
    with pytest.raises(InputError, match=message):
        read(touch(tmp_path / "i", "a.jpg"), labels)


@pytest.mark.parametrize(
    ("file", "id_"),
    [
        ("d/ISIC_0000001.png", "ISIC_0000001.jpg"),
        ("ISIC_0000001.jpg", "isic_0000001"),
        ("00001.jpg", "1"),
        ("IMG_007.JPG", "img_7"),
        ("ISIC_0000001.jpg", "https://isic.example/images/ISIC_0000001.jpeg"),
        ("ISIC_0000001.jpg", "C:\\data\\ISIC_0000001.jpg"),
        ("IMG_0001.jpg", "img_1.CR2"),
        ("patient.12.5.jpg", "patient.012.5"),
    ],
)
def test_a_row_without_a_file_names_the_file_that_it_may_mean(file, id_, tmp_path):
    images = touch(tmp_path / "i", "a.jpg", file)
    stem = file.rpartition("/")[2].rpartition(".")[0]
    with pytest.raises(InputError) as refused:
        read(images, table(tmp_path / "l.csv", "a,,nv", "b,,nv", f"{id_},,nv"))
    assert str(refused.value).endswith(f". {id_} may be {file}: then its id must be {stem}")


def test_a_file_that_has_a_row_is_not_proposed_for_another(tmp_path):
    images = touch(tmp_path / "i", "img_7.jpg")
    with pytest.raises(InputError, match=r"drop the rows$"):
        read(images, table(tmp_path / "l.csv", "img_7,,nv", "IMG_007,,nv"))


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (["nv/0001.jpg", "mel/001.jpg"], ["1"]),  # either file
        (["a/img_7.jpg", "b/img_7.jpg"], ["IMG_007"]),  # the id img_7 fits both
        (["001.jpg"], ["1", "01"]),  # either id
        (["x.jpg", "x.jpg.png"], ["X.jpg.jpg"]),  # the id x.jpg means the other file
        (["12.jpg"], ["12.5"]),
        (["12.5.jpg"], ["12.05"]),
        (["visit.jpg"], ["visit.2"]),
    ],
)
def test_no_file_is_proposed_where_it_would_be_a_guess(files, missing, tmp_path):
    images = touch(tmp_path / "i", *files)
    with pytest.raises(InputError, match=r"add the files or drop the rows$"):
        read(images, table(tmp_path / "l.csv", *(f"{id_},,nv" for id_ in missing)))


def test_a_file_that_shares_its_name_with_one_that_has_a_row_is_not_proposed(tmp_path):
    images = touch(tmp_path / "i", "a/img_7.jpg", "b/img_7.jpg")
    with pytest.raises(InputError, match=r"drop the rows$"):
        read(images, table(tmp_path / "l.csv", "a/img_7.jpg,,nv", "IMG_007,,nv"))


@pytest.mark.parametrize("other", ["sub/1.jpg", "1.jpg.png"])
def test_an_id_that_is_the_whole_path_means_that_file(other, tmp_path):
    images = touch(tmp_path / "i", "1.jpg", other)
    source = read(images, table(tmp_path / "l.csv", "1.jpg,,nv", f"{other},,mel"))
    assert {r.file: r.label for r in source.records} == {"1.jpg": "nv", other: "mel"}


def test_an_id_that_is_the_whole_path_but_the_suffix_means_that_file(tmp_path):
    images = touch(tmp_path / "i", "1.jpg", "sub/1.jpg")
    source = read(images, table(tmp_path / "l.csv", "1,,nv", "sub/1,,mel"))
    assert {r.file: r.label for r in source.records} == {"1.jpg": "nv", "sub/1.jpg": "mel"}


@pytest.mark.parametrize("files", [("part1/a.jpg", "part2/a.jpg"), ("a.jpg", "a.png")])
def test_id_that_fits_several_files(files, tmp_path):
    labels = table(tmp_path / "l.csv", "a,,nv")
    with pytest.raises(InputError, match=rf"'a' .*fits several files: {', '.join(files)}: give"):
        read(touch(tmp_path / "i", *files), labels)


def test_files_that_are_listed_twice(tmp_path):
    """HAM10000 is often unpacked twice, into folders of almost the same name."""
    images = touch(tmp_path / "i", "HAM_1/a.jpg", "ham_1/a.jpg", "copy/a.jpg")
    labels = table(tmp_path / "l.csv", "a,,nv")
    for file in images.rglob("*.jpg"):
        file.write_bytes(b"the same")
    source = read(images, labels)
    assert [record.file for record in source.records] == ["HAM_1/a.jpg"]
    assert {(r.file, r.reason, r.detail, r.wanted) for r in source.rejections} == {
        (file, "duplicate", "the same bytes as HAM_1/a.jpg", False)
        for file in ("ham_1/a.jpg", "copy/a.jpg")
    }
    (images / "copy/a.jpg").write_bytes(b"different")
    with pytest.raises(InputError, match="fits several files"):
        read(images, labels)


def test_rows_that_have_only_sidecars(tmp_path):
    images = touch(tmp_path / "i", "a.jpg", "a.json", "b.json", "b.xml")
    source = read(images, table(tmp_path / "l.csv", "a,,nv", "b,,mel"))
    assert {rejection.file: rejection.wanted for rejection in source.rejections} == {
        "a.json": False,
        "b.json": True,
        "b.xml": False,
    }


def test_two_ids_of_one_file(tmp_path):
    labels = table(tmp_path / "l.csv", "a,,nv", "a.jpg,,mel")
    with pytest.raises(InputError, match=r"ids 'a' and 'a\.jpg' of .* both name a\.jpg"):
        read(touch(tmp_path / "i", "a.jpg"), labels)


@pytest.mark.parametrize(("one", "other"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_ids_and_groups_are_compared_in_composed_form(one, other, tmp_path):
    images = touch(tmp_path / "i", f"{other}.jpg", "b.jpg", f"{other}/c.jpg")
    labels = table(tmp_path / "l.csv", f"{one},{one},nv", f"b,{other},mel", f"{one}/c,g,nv")
    metadata = table(tmp_path / "m.csv", f"{other},7", head="image_id,age")
    source = read(images, labels, metadata=metadata, extra_columns="age:int")
    assert summary(source) == [
        ("b.jpg", "b", "mel", COMPOSED),
        (f"{other}.jpg", COMPOSED, "nv", COMPOSED),
        (f"{other}/c.jpg", f"{COMPOSED}/c", "nv", "g"),
    ]
    assert [record.extras for record in source.records] == [(-1,), (7,), (-1,)]
    assert source.rejections == ()


def test_two_files_of_one_composed_name(tmp_path):
    images = touch(tmp_path / "i", f"{COMPOSED}.jpg", f"{DECOMPOSED}.jpg")
    message = (
        r"files 'cafe\\u0301\.jpg' and 'caf\\xe9\.jpg' have the same name .*: rename or remove"
    )
    with pytest.raises(InputError, match=message):
        read(images, table(tmp_path / "l.csv", f"{COMPOSED},g,nv"))
