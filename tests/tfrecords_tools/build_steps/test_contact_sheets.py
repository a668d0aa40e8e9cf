"""Contact sheets: every thumbnail in its place, and names that a file may have."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

from tfrecords_tools.build_steps.contact_sheets import (
    SHEET_COLUMNS,
    SHEET_GAP,
    SHEET_IMAGES,
    THUMBNAIL_SIDE,
    TITLE_HEIGHT,
    Sheet,
    contact_sheet,
)


def tile(value: int) -> np.ndarray:
    return np.full((THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), value, np.uint8)


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("count", [1, SHEET_COLUMNS, SHEET_COLUMNS + 1, SHEET_IMAGES])
def test_thumbnails_are_row_by_row(count):
    sheet = pixels(contact_sheet(Sheet(0, "a", "a class", [tile(n) for n in range(count)])))
    for number in range(count):
        row, column = divmod(number, SHEET_COLUMNS)
        top, left = (
            TITLE_HEIGHT + row * (THUMBNAIL_SIDE + SHEET_GAP),
            SHEET_GAP + column * (THUMBNAIL_SIDE + SHEET_GAP),
        )
        assert (sheet[top : top + THUMBNAIL_SIDE, left : left + THUMBNAIL_SIDE] == number).all()
    assert (
        sheet.shape[0]
        == TITLE_HEIGHT + -(-count // SHEET_COLUMNS) * (THUMBNAIL_SIDE + SHEET_GAP) + SHEET_GAP
    )


def test_title_is_written():
    titled, bare = (
        pixels(contact_sheet(Sheet(0, "a", text, [tile(255)]))) for text in ("melanoma", "")
    )
    assert (titled[:TITLE_HEIGHT] != bare[:TITLE_HEIGHT]).any()
    assert (titled[TITLE_HEIGHT:] == bare[TITLE_HEIGHT:]).all()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mel", "03_mel.png"),
        ("../../etc", "03_.._.._etc.png"),
        ("a/b c", "03_a_b_c.png"),
        ("nævus", "03_nævus.png"),
        ("x" * 300, "03_" + "x" * 64 + ".png"),
    ],
)
def test_file_names(name, file):
    assert Sheet(3, name, "", []).file == file


@pytest.mark.parametrize("name", ["a/b", "..", "a\\b:c*?", "n\0l", "naïve 痣", "痣" * 100])
def test_every_class_name_makes_a_file(name, tmp_path):
    sheet = Sheet(3, name, "", [])
    (tmp_path / sheet.file).touch()
    assert os.listdir(tmp_path) == [sheet.file]


def test_class_name_of_long_letters(tmp_path):
    (tmp_path / Sheet(3, "\U00020000" * 63, "", []).file).touch()


def test_names_that_become_one_make_two_files():
    assert Sheet(0, "a/b", "", []).file != Sheet(1, "a b", "", []).file


def test_paper_is_white_elsewhere():
    sheet = pixels(contact_sheet(Sheet(0, "a", "", [tile(0)])))
    assert sheet.shape[1] == SHEET_COLUMNS * (THUMBNAIL_SIDE + SHEET_GAP) + SHEET_GAP
    assert (sheet == 0).sum() == THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3
    assert (sheet[sheet != 0] == 255).all()


def test_title_in_any_script():
    assert (
        pixels(contact_sheet(Sheet(0, "a", "痣 — nævus " * 40, [tile(0)]))).shape[0] > TITLE_HEIGHT
    )
