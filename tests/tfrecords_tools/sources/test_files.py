"""Which files are images: by their bytes; what links hide; what machines write."""

from __future__ import annotations

import os

import pytest

from tests.encoding import encoded
from tests.images import noise
from tests.listings import read, reasons, table, touch
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions, data_set_name
from tfrecords_tools.sources import list_source
from tfrecords_tools.sources.files import list_files


def folders(root, **options):
    return list_source(root, BuildOptions(name="x", **options))


def image(path):
    path.write_bytes(encoded(noise(len(str(path))), "PNG"))


@pytest.mark.parametrize("name", ["a.jfif", "a.JXL", "a.heic", "a.avif", "a.dcm", "a.pgm"])
def test_files_with_names_of_images_are_left_to_the_decoder(name, tmp_path):
    assert list_files(touch(tmp_path, name)).found == [name]


@pytest.mark.parametrize("name", ["IM0001", "a.jpg.part", "a.dat", "1.2.840.113"])
def test_images_are_known_by_their_first_bytes(name, tmp_path):
    touch(tmp_path, "nv/b.png", "nv/notes.txt")
    image(tmp_path / "nv" / name)
    source = folders(tmp_path)
    assert {record.file for record in source.records} == {"nv/b.png", f"nv/{name}"}
    assert [(each.file, each.wanted) for each in source.rejections] == [("nv/notes.txt", False)]


def test_text_that_begins_like_an_image(tmp_path):
    touch(tmp_path, "nv/b.png")
    (tmp_path / "nv" / "notes").write_text("BMI of P1\n")
    (tmp_path / "nv" / "list.txt").write_text("P1 has two lesions\n")
    assert list_files(tmp_path).found == ["nv/b.png"]


@pytest.mark.parametrize("row", ["b", "b.dat", "b.nef", ".hidden/b.png", "@eaDir/b.png"])
def test_what_a_table_names_counts(row, tmp_path):
    file = row if "." in row else f"{row}.json"
    touch(tmp_path / "i", "a.jpg", file)
    source = read(tmp_path / "i", table(tmp_path / "l.csv", "a,,nv", f"{row},,mel"))
    assert [(each.file, each.wanted) for each in source.rejections] == [(file, True)]


def test_placeholders_of_icloud_count(tmp_path):
    files = ("nv/b.png", "nv/.a.jpg.icloud", "mel/.a.HEIC.icloud", "nv/.notes.txt.icloud")
    source = folders(touch(tmp_path, *files))
    assert {each.file for each in source.rejections if each.wanted} == {files[1], files[2]}
    assert source.labels == {"nv", "mel"}  # the build says that mel is lost


def test_files_that_nobody_wants_do_not_count(tmp_path):
    files = ("a.json", "@eaDir/a.jpg/T.jpg", "readme.md", "a.nef")
    source = read(touch(tmp_path / "i", "a.jpg", *files), table(tmp_path / "l.csv", "a,,nv"))
    assert {each.file for each in source.rejections} == set(files)
    assert not any(each.wanted for each in source.rejections)


def test_raw_file_of_a_camera_that_nobody_developed(tmp_path):
    source = folders(touch(tmp_path, "nv/a.jpg", "nv/a.NEF", "nv/b.cr2"))
    assert {each.file: each.wanted for each in source.rejections} == {
        "nv/a.NEF": False,
        "nv/b.cr2": True,
    }


@pytest.mark.parametrize(
    "file",
    [
        *("nv/@eaDir/a.jpg/SYNOPHOTO_THUMB_SM.jpg", "@EADIR/a.jpg", "#recycle/a.jpg"),
        *("$RECYCLE.BIN/S-1-5/a.jpg", "System Volume Information/a.png", "__MACOSX/nv/a.jpg"),
        *("nv/#snapshot/hourly/a.jpg", "lost+found/a.png", "@Recycle/a.jpg", "x.lrdata/1/a.jpg"),
        *("nv/.trashed-1700000000-a.jpg", "nv/a.jpg~", "nv/a.jpg_original", "nv/a.jpg.bak"),
        "nv/SYNOPHOTO_THUMB_XL.jpg",
    ],
)
def test_what_machines_write(file, tmp_path):
    touch(tmp_path, "nv/a.png", "mel/b.png", file)
    image(tmp_path / file)
    source = folders(tmp_path)
    assert source.labels == {"nv", "mel"}
    assert {each.file: each.reason for each in source.rejections} == {file: "machine_made"}
    assert not source.rejections[0].wanted


@pytest.mark.parametrize("link", ["valid", "train/bcc", "train/mel/batch2"])
def test_linked_folder_of_another_place(link, tmp_path):
    root = touch(tmp_path / "i", "train/mel/a.png", "train/nv/b.png", "test/mel/c.png")
    touch(tmp_path / "other", "mel/d.png")
    (root / link).symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match=rf"links to folders: {link}\. .* give --follow_links"):
        folders(root)
    found = {record.file for record in folders(root, follow_links=True).records}
    assert f"{link}/mel/d.png" in found
    assert len(found) == 4


def test_linked_split_within_the_folder(tmp_path):
    root = touch(tmp_path, "train/mel/a.png", "test/mel/b.png")
    (root / "val").symlink_to("test")
    with pytest.raises(InputError, match="links to folders: val"):
        folders(root)


def test_link_to_a_folder_whose_files_are_listed_anyway(tmp_path):
    root = touch(tmp_path, "mel/a.png", "nv/deep/b.png")
    (root / "mel" / "same").symlink_to("../nv/deep")
    assert reasons(folders(root)) == {"mel/same": "not_a_file"}


def test_links_to_nothing(tmp_path):
    root = touch(tmp_path, "mel/a.png", "nv/b.png")
    (root / "mel" / "c.png").symlink_to("/nowhere/c.png")
    source = folders(root)
    assert [(r.file, r.reason, r.wanted) for r in source.rejections] == [
        ("mel/c.png", "dangling_link", True)
    ]
    (root / "bcc").symlink_to("/nowhere/bcc")
    for follow_links in (False, True):
        with pytest.raises(InputError, match=r"lead nowhere: bcc.* mount or fetch"):
            folders(root, follow_links=follow_links)


@pytest.mark.parametrize("target", [".", "..", "../nv", "/"])
def test_linked_folder_that_holds_itself(target, tmp_path):
    root = touch(tmp_path / "i", "mel/a.png", "nv/b.png")
    (root / "nv" / "again").symlink_to(target)
    with pytest.raises(InputError, match=r"link nv/again in .* leads back to a folder"):
        folders(root, follow_links=True)


@pytest.mark.parametrize("follow_links", [False, True])
def test_a_link_that_leads_to_itself(follow_links, tmp_path):
    root = touch(tmp_path / "i", "mel/a.png", "nv/b.png")
    (root / "nv" / "c.png").symlink_to("c.png")
    source = folders(root, follow_links=follow_links)
    assert reasons(source) == {"nv/c.png": "dangling_link"}
    (tmp_path / "loop").symlink_to("loop")
    assert data_set_name(tmp_path / "loop") == "loop"
    with pytest.raises(InputError, match="loop is not a folder"):
        folders(tmp_path / "loop", follow_links=follow_links)


def test_two_links_that_lead_into_each_other(tmp_path):
    root = touch(tmp_path / "i", "mel/a.png")
    touch(tmp_path / "other", "b.png")
    (root / "nv").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(root)
    with pytest.raises(InputError, match=r"link nv/back in .* leads back"):
        folders(root, follow_links=True)


def test_link_farm_of_a_cache(tmp_path):
    """Data version control and model hubs keep files under their hashes."""
    root = tmp_path / "i"
    for number, name in enumerate(("mel/a.jpg", "nv/b.jpg", "nv/c.jpg")):
        blob = tmp_path / "blobs" / f"hash{number}"
        touch(tmp_path, f"blobs/{blob.name}")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(os.path.relpath(blob, (root / name).parent))
    with pytest.raises(InputError, match="outside_folder"):
        folders(root)
    source = folders(root, follow_links=True)
    assert [record.label for record in source.records] == ["mel", "nv", "nv"]
    assert [finding.kind for finding in source.findings] == ["links_followed"]


def test_rows_whose_files_are_behind_a_link(tmp_path):
    root = touch(tmp_path / "i", "a.jpg")
    touch(tmp_path / "other", "b.jpg")
    (root / "more").symlink_to(tmp_path / "other")
    labels = table(tmp_path / "l.csv", "a,,nv")
    assert len(read(root, labels).records) == 1  # all rows have a file
    table(labels, "a,,nv", "b,,mel")
    with pytest.raises(InputError, match="give --follow_links"):
        read(root, labels)
    assert len(read(root, labels, follow_links=True).records) == 2
