"""Classes without a single good image: left out, and told."""

from __future__ import annotations

import json

from PIL import Image

from tests.tfrecords_tools.conftest import CLASSES, noise, write_class_folders
from tfrecords_tools.builder import build


def test_class_that_loses_all_its_images_is_told(folders, tmp_path):
    (folders / "df").mkdir()
    (folders / "df" / "x.png").write_bytes(b"")
    report = build(folders, tmp_path / "out", name="x", size=16)
    assert report.lost_classes == ("df",)
    assert report.info.class_names == tuple(CLASSES)
    assert json.loads((tmp_path / "out" / "build_report.json").read_text())["lost_classes"] == [
        "df"
    ]


def test_class_none_of_whose_files_can_be_read_is_told(folders, tmp_path):
    """Photographs of a telephone, a link to another disk, and what is no class."""
    (folders / "bcc").mkdir()
    (folders / "bcc" / "x.heic").write_bytes(b"ftypheic")
    (tmp_path / "elsewhere").mkdir()
    (folders / "df").symlink_to(tmp_path / "elsewhere")
    for junk in (".cache/x.png", "__MACOSX/._x.png", "README.txt"):
        (folders / junk).parent.mkdir(exist_ok=True)
        (folders / junk).write_bytes(b"")
    report = build(folders, tmp_path / "out", name="x", size=16)
    assert report.lost_classes == ("bcc", "df")
    assert report.info.class_names == tuple(CLASSES)


def test_class_none_of_whose_files_can_be_read_is_told_of_folders_of_splits(tmp_path):
    images = tmp_path / "images"
    for split in ("train", "test"):
        write_class_folders(images / split)
        (images / split / "bcc").mkdir()
        (images / split / "bcc" / "x.heic").write_bytes(split.encode())
    for number, file in enumerate(sorted((images / "test").rglob("*.png"))):
        Image.fromarray(noise(50_000 + number)).save(file)
    assert build(images, tmp_path / "out", name="x", size=16).lost_classes == ("bcc",)


def test_class_of_a_table_none_of_whose_files_can_be_read_is_told(folders, tmp_path):
    (folders / "x.heic").write_bytes(b"ftypheic")
    rows = [f"{path.relative_to(folders)},{path.parent.name}" for path in folders.rglob("*.png")]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["id,label", *rows, "x,df"]))
    options = {"labels": labels, "id_column": "id", "label_column": "label"}
    report = build(folders, tmp_path / "out", name="x", size=16, **options)
    assert report.lost_classes == ("df",)
