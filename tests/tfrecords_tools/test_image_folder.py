"""A data set as files: every record once, byte for byte, labels in the order of the folders."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from tests.data_sets import write_records
from tests.files import flip_bit
from tests.images import noise
from tfrecords_tools import build
from tfrecords_tools.errors import InputError
from tfrecords_tools.image_folder import write_image_folder
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.records.schema import Record


def rows_of(folder):
    with (folder / "images.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("label", [-1, -2, 2, 2**40])
def test_label_of_no_class(label, tmp_path):
    image = encode_png(noise(0, 16, 16))
    records = [Record(image, 0, "a", "a"), Record(image, label, "b", "b")]
    write_records(tmp_path / "data", {"train": records})
    with pytest.raises(InputError, match=rf"image 'b' has label {label}, there are 2 classes"):
        write_image_folder(tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_record_is_a_file_with_its_row(small_data, tmp_path):
    out = write_image_folder(small_data, tmp_path / "out")
    rows = iter(rows_of(out))
    info = read_info(small_data)
    for split in info.splits:
        for record in read(small_data, split):
            row = next(rows)
            assert (out / row["file"]).read_bytes() == record.image
            assert row["split"] == split
            assert row["label"] == info.class_names[record.label]
            assert (row["image_id"], row["group"], row["origin"]) == (
                record.image_id,
                record.group,
                record.origin,
            )
    assert next(rows, None) is None
    assert len(list(out.rglob("*.png"))) == len(rows_of(out))
    for split in info.splits:
        folders = sorted(path.name for path in (out / split).iterdir())
        assert folders == ["00_melanoma", "01_naevus", "metadata.csv"]


def test_each_split_has_the_table_of_hugging_face(small_data, tmp_path):
    out = write_image_folder(small_data, tmp_path / "out")
    expected = rows_of(out)
    found = []
    for split in read_info(small_data).splits:
        with (out / split / "metadata.csv").open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            assert table.fieldnames == ["file_name", "label", "image_id", "group", "origin"]
            rows = list(table)
        for row in rows:
            assert (out / split / row["file_name"]).is_file()
            found.append({"file": f"{split}/{row.pop('file_name')}", "split": split, **row})
    assert found == expected


def test_original_jpegs_stay_jpegs(tmp_path):
    for label in ("a/b", "c"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(6):
            image = Image.fromarray(np.repeat(noise(number + 9 * len(label)), 2, axis=0))
            image.save(tmp_path / "images" / label / f"{number}\r.jpg")
    (tmp_path / "images" / "a" / "b").rename(tmp_path / "images" / "b b")
    (tmp_path / "images" / "a").rmdir()
    build(tmp_path / "images", tmp_path / "data", name="x")
    out = write_image_folder(tmp_path / "data", tmp_path / "out")
    rows = rows_of(out)
    assert {row["file"].rsplit(".")[-1] for row in rows} == {"jpg"}
    assert {row["file"].split("/")[1] for row in rows} == {"00_b_b", "01_c"}
    ids = {f"{label}/{number}\r.jpg" for label in ("b b", "c") for number in range(6)}
    assert {row["image_id"] for row in rows} == ids


def test_a_damaged_data_set_leaves_nothing(damageable, tmp_path):
    flip_bit(next(damageable.glob("*.tfrecord-*")), 40)
    with pytest.raises(InputError, match="build the data set again"):
        write_image_folder(damageable, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_left_alone(small_data, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        write_image_folder(small_data, tmp_path / "out")
    write_image_folder(small_data, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "images.csv").is_file()
    write_image_folder(small_data, tmp_path / "out", overwrite=True)
    with pytest.raises(InputError, match=r"something else \(no images\.csv\)"):
        write_image_folder(small_data, small_data, overwrite=True)


def test_class_name_of_long_letters(tmp_path):
    names = ("\U00020000" * 64, "b" * 300)
    record = Record(encode_png(noise(0, 16, 16)), 0, "a", "a")
    data = write_records(tmp_path / "data", {"train": [record]}, class_names=names)
    out = write_image_folder(data, tmp_path / "out")
    assert sorted(path.name for path in (out / "train").iterdir() if path.is_dir()) == [
        "00_" + "\U00020000" * 50,
        "01_" + "b" * 64,
    ]
