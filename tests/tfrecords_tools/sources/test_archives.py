"""Archives among class folders: a class that nobody unpacked is not lost without a word."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from tests.listings import read, table, touch
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import archives, list_source


def packed(path, *names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")


def findings(root):
    found = list_source(root, BuildOptions(name="x")).findings
    return [(finding.trap, finding.text) for finding in found if finding.kind == "archives"]


@pytest.fixture
def images(tmp_path):
    return touch(tmp_path / "in", "nv/0.png", "nv/1.png", "bcc/0.png")


@pytest.mark.parametrize(
    ("archive", "members"),
    [
        ("mel.zip", ["0.png", "1.png"]),
        ("mel.dat", ["mel/0.png"]),
        ("data.zip", ["nv/0.png", "nv/1.png", "mel/0.png"]),
        ("nv/part2.zip", ["2.png"]),
        ("nv/part2.zip", ["nv/2.JPG"]),
    ],
)
def test_a_zip_with_images_that_are_not_there_is_a_trap(archive, members, images):
    packed(images / archive, *members)
    [(trap, text)] = findings(images)
    assert trap
    assert text.startswith(f"{archive}: archives with images that are not in ")


@pytest.mark.parametrize(
    ("archive", "members"),
    [
        ("data.zip", ["nv/0.png", "nv/1.png", "bcc/0.png", "__MACOSX/nv/._2.png", "readme.txt"]),
        ("data.zip", ["data/nv/0.png", "data/bcc/0.png"]),  # unpacked without its first folder
        ("nv.zip", ["0.png"]),  # unpacked into a folder of its name
        ("nv/all.zip", ["0.png", "1.png"]),
        ("nv/notes.docx", ["[Content_Types].xml", "word/media/image1.png"]),
        ("bcc/weights.npz", ["w.npy"]),
    ],
)
def test_a_zip_that_is_unpacked_or_holds_no_images_says_nothing(archive, members, images):
    packed(images / archive, *members)
    assert findings(images) == []


def tar(mode):
    with tarfile.open(fileobj=(file := io.BytesIO()), mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("mel/0.png"))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [tar("w"), tar("w:gz"), tar("w:bz2"), tar("w:xz"), b"7z\xbc\xaf\x27\x1c", b"PK\x03\x04"],
    ids=["tar", "tar.gz", "tar.bz2", "tar.xz", "7z", "zip"],
)
def test_other_archives_are_named(content, images):
    (images / "mel").write_bytes(content)
    assert findings(images) == [
        (False, "archives are not read; unpack those that hold images: mel")
    ]


def test_a_zip_with_a_long_list_is_not_looked_into(images, monkeypatch):
    packed(images / "mel.zip", *(f"{number}.png" for number in range(9)))
    monkeypatch.setattr(archives, "LARGEST_LIST", 400)
    monkeypatch.setattr(archives.zipfile, "ZipFile", None)
    assert findings(images) == [
        (False, "archives are not read; unpack those that hold images: mel.zip")
    ]


def test_a_table_names_its_images(tmp_path):
    packed(touch(tmp_path / "i", "a.png") / "more.zip", "b.png")
    assert not read(tmp_path / "i", table(tmp_path / "l.csv", "a,,nv")).findings
