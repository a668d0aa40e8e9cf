"""Provenance: the text chunks of a PNG, the rows of the manifest."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skin_synth.cli import main_with
from skin_synth.provenance import (
    Provenance,
    describe_file,
    encode_synthetic,
    manifest_csv,
    pixels_sha256,
    read_chunks,
    read_manifest,
)
from tests.encoding import chunk, encoded
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.metadata import marked_synthetic

ROW = Provenance(
    image_id="synthetic/abc/ümlaut, mel/7",
    label="ümlaut, mel",
    seed=7,
    truncation=0.7,
    run_id="abc",
    checkpoint_hash="c" * 64,
    pixels_sha256="d" * 64,
    nearest_image_id="ISIC_1",
    nearest_distance=12.5,
)
IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def test_pixels_hash_is_sha256_of_the_raw_bytes():
    assert pixels_sha256(IMAGE) == hashlib.sha256(IMAGE.tobytes()).hexdigest()
    assert pixels_sha256(IMAGE[:, ::-1]) != pixels_sha256(IMAGE)


def test_png_keeps_pixels_and_all_fields():
    png = encode_synthetic(IMAGE, ROW)
    assert png == encode_synthetic(IMAGE.copy(), ROW)
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        np.testing.assert_array_equal(np.asarray(image), IMAGE)
        chunks = {key.removeprefix("skin_synth:"): value for key, value in image.text.items()}
    fields = {name: str(value) for name, value in dataclasses.asdict(ROW).items()}
    assert fields.items() <= chunks.items()
    assert "synthetic" in chunks["Comment"]
    assert chunks["Software"].startswith("skin-synth ")


def test_manifest_has_the_columns_of_the_contract():
    rows = list(csv.DictReader(io.StringIO(manifest_csv([ROW, ROW]).decode())))
    columns = "image_id label seed truncation run_id checkpoint_hash pixels_sha256"
    assert " ".join(rows[0]) == f"{columns} nearest_image_id nearest_distance software"
    assert [row["label"] for row in rows] == ["ümlaut, mel"] * 2
    assert "tensorflow " in rows[0]["software"]


def test_an_older_manifest_without_versions_is_read(tmp_path):
    table = csv.reader(manifest_csv([ROW]).decode().splitlines())
    text = "\n".join(",".join(f'"{cell}"' for cell in row[:-1]) for row in table)
    (tmp_path / "manifest.csv").write_text(text, "utf-8")
    assert read_manifest(tmp_path / "manifest.csv") == [dataclasses.replace(ROW, software="")]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "image_id,label,seed\nx,y,z\n"])
def test_another_table_is_refused(text, tmp_path):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match="is not a manifest of synthetic images"):
        read_manifest(tmp_path / "manifest.csv")


def test_chunks_are_read_from_the_file(tmp_path):
    (tmp_path / "7.png").write_bytes(encode_synthetic(IMAGE, ROW))
    assert read_chunks(tmp_path / "7.png")["label"] == "ümlaut, mel"
    line = describe_file(tmp_path / "7.png")
    assert line.startswith("synthetic: label ümlaut, mel, seed 7, truncation 0.7, run_id abc")


def test_long_texts_are_shortened_in_the_line(tmp_path):
    row = dataclasses.replace(ROW, label="x" * 10**5, run_id="y" * 200)
    (tmp_path / "7.png").write_bytes(encode_synthetic(IMAGE, row))
    line = describe_file(tmp_path / "7.png")
    assert f"label {'x' * 200}..., seed 7" in line
    assert f"run_id {'y' * 200}, " in line
    assert len(line) < 1000


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_without_chunks_says_nothing(suffix, tmp_path):
    path = tmp_path / f"plain.{suffix}"
    Image.fromarray(IMAGE).save(path)
    assert read_chunks(path) == {}
    assert describe_file(path).startswith("says nothing")


@pytest.mark.parametrize("content", [b"", b"text", encode_synthetic(IMAGE, ROW)[:60]])
def test_what_is_no_image_is_refused(content, tmp_path):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as an image"):
        read_chunks(tmp_path / "x.png")
    with pytest.raises(InputError, match="does not exist"):
        read_chunks(tmp_path / "none.png")


def test_a_manifest_is_read_back_with_carriage_returns(tmp_path):
    row = dataclasses.replace(ROW, label="a\rb", image_id="synthetic/abc/a\rb/7")
    (tmp_path / "manifest.csv").write_bytes(manifest_csv([row, ROW]))
    assert read_manifest(tmp_path / "manifest.csv") == [row, ROW]


def test_the_name_of_a_training_image_can_be_left_out():
    png = encode_synthetic(IMAGE, ROW, training_names=False)
    assert b"ISIC_1" in encode_synthetic(IMAGE, ROW)
    assert b"ISIC_1" not in png
    assert b"12.5" in png
    with Image.open(io.BytesIO(png)) as image:
        np.testing.assert_array_equal(np.asarray(image), IMAGE)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PCX"])
def test_other_formats_are_not_opened(kind, tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    path.write_bytes(encoded(IMAGE, kind))
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("was opened"))
    with pytest.raises(InputError, match=r"x\.png cannot be read as an image"):
        read_chunks(path)


def test_a_folder_is_refused_with_what_to_give_instead(tmp_path):
    with pytest.raises(InputError, match=r"is a folder: give image files, such as .*/\*\.png$"):
        describe_file(tmp_path)


def test_special_files_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="a pipe, a device"):
        describe_file(tmp_path / "pipe.png")


def test_mark_of_another_program(tmp_path):
    (tmp_path / "x.jpg").write_bytes(marked_synthetic(encoded(IMAGE, "JPEG")))
    assert describe_file(tmp_path / "x.jpg").startswith("synthetic: its metadata say so")
    assert read_chunks(tmp_path / "x.jpg") == {}


def test_a_bad_file_does_not_hide_the_others(tmp_path, capsys):
    names = ["good.png", "empty.png", "plain.png", "none.png"]
    good, empty, plain, none = (str(tmp_path / name) for name in names)
    Path(good).write_bytes(encode_synthetic(IMAGE, ROW))
    Path(empty).write_bytes(b"")
    Path(plain).write_bytes(encoded(IMAGE, "PNG"))
    assert main_with(["is-synthetic", empty, good, none, plain]) == 1
    said = capsys.readouterr()
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == [good, plain]
    assert "empty.png cannot be read as an image (the file has no byte)" in said.err
    assert "none.png does not exist" in said.err
    assert len(said.err.splitlines()) == 1


def test_texts_that_unpack_to_much_are_no_danger(tmp_path):
    bomb = chunk(b"zTXt", b"skin_synth:label\0\0" + zlib.compress(bytes(10**8)))
    content = encoded(IMAGE, "PNG")
    (tmp_path / "x.png").write_bytes(content[:33] + bomb + content[33:])
    assert len(read_chunks(tmp_path / "x.png")["label"]) == 2**16
