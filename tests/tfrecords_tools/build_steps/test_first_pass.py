"""The first pass: what is kept of each image."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.images import noise
from tests.tfrecords_tools.build_steps.conftest import COUNT, first_pass
from tfrecords_tools.build_steps.contact_sheets import SHEET_IMAGES, THUMBNAIL_SIDE


def test_broken_image_is_rejected(source, tmp_path):
    facts, _, _ = first_pass(tmp_path / "spool", source)
    assert [rejection.file for rejection in facts.rejections] == ["nv/00.png"]
    broken = np.flatnonzero(~facts.hashes.good).tolist()
    assert [source.records[row].file for row in broken] == ["nv/00.png"]


def test_a_few_thumbnails_of_each_class(source, tmp_path):
    facts, _, _ = first_pass(tmp_path / "spool", source)
    shown = [source.records[row].label for row in facts.thumbnails]
    assert COUNT > SHEET_IMAGES
    assert shown.count("mel") == SHEET_IMAGES
    assert SHEET_IMAGES - 1 <= shown.count("nv") <= SHEET_IMAGES
    shapes = {thumbnail.shape for thumbnail in facts.thumbnails.values()}
    assert shapes == {(THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)}


def test_fingerprint_is_of_the_input_alone(source, tmp_path):
    one, _, _ = first_pass(tmp_path / "one", source)
    other, _, _ = first_pass(tmp_path / "other", source, workers=1, seed=3, size=16)
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 64
    Image.fromarray(noise(7)).save(source.root / "mel" / "03.png")
    third, _, _ = first_pass(tmp_path / "third", source)
    assert third.fingerprint != one.fingerprint


def test_images_that_are_re_encoded_are_counted(source, tmp_path):
    Image.fromarray(noise(7)).save(source.root / "mel" / "03.png", "BMP")
    kept, _, _ = first_pass(tmp_path / "kept", source)
    assert kept.re_encoded.sum() == 1
    resized, _, _ = first_pass(tmp_path / "resized", source, size=16)
    assert resized.re_encoded.sum() == 2 * COUNT - 1
