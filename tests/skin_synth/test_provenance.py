"""Provenance: what the PNG tells, what the manifest holds."""

from __future__ import annotations

import csv
import hashlib
import io

import numpy as np
from PIL import Image

from skin_synth.provenance import Provenance, encode_synthetic, manifest_csv, pixels_sha256

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


def test_png_keeps_pixels_and_tells_all_fields():
    with Image.open(io.BytesIO(encode_synthetic(IMAGE, ROW))) as image:
        image.load()
        np.testing.assert_array_equal(np.asarray(image), IMAGE)
        told = {key.removeprefix("skin_synth:"): value for key, value in image.text.items()}
    assert told["label"] == "ümlaut, mel"
    assert told["seed"] == "7"
    assert told["truncation"] == "0.7"
    assert told["checkpoint_hash"] == "c" * 64
    assert "synthetic" in told["Comment"]
    assert told["Software"].startswith("skin-synth ")


def test_png_bytes_are_reproducible():
    assert encode_synthetic(IMAGE, ROW) == encode_synthetic(IMAGE.copy(), ROW)


def test_manifest_has_the_columns_of_the_contract():
    rows = list(csv.DictReader(io.StringIO(manifest_csv([ROW, ROW]).decode())))
    assert list(rows[0]) == [
        "image_id",
        "label",
        "seed",
        "truncation",
        "run_id",
        "checkpoint_hash",
        "pixels_sha256",
        "nearest_image_id",
        "nearest_distance",
    ]
    assert len(rows) == 2
    assert rows[0]["label"] == "ümlaut, mel"
