"""Labelled grids: every pixel at its place, and hostile shapes refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from skin_synth.image_grid import CELL_GAP, image_grid, png_bytes


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def decode(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def test_cells_hold_the_images_enlarged_by_whole_pixels():
    images = random_images(2, 3, 5, 4)
    grid = decode(image_grid(images, ["one", "two"], scale=3))
    gutter = grid.shape[1] - 3 * (12 + CELL_GAP)
    for i in range(2):
        for j in range(3):
            top, left = i * (15 + CELL_GAP), gutter + j * (12 + CELL_GAP)
            cell = grid[top : top + 15, left : left + 12]
            np.testing.assert_array_equal(cell, images[i, j].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize(("size", "factor"), [(16, 4), (32, 2), (64, 1), (256, 1)])
def test_small_images_are_enlarged(size, factor):
    grid = decode(image_grid(random_images(2, 1, size, size), ["a", "b"]))
    assert grid.shape[0] == 2 * (size * factor + CELL_GAP)


def test_the_file_is_what_is_returned_and_its_folder_is_made(tmp_path):
    path = tmp_path / "previews" / "x.png"
    png = image_grid(random_images(2, 1, 16, 16), ["a", "b"], path=path)
    assert path.read_bytes() == png
    assert [file.name for file in path.parent.iterdir()] == ["x.png"]


def test_each_row_has_its_label_in_ink():
    images = np.zeros((2, 1, 32, 32, 3), np.uint8)
    grid = decode(image_grid(images, ["word", ""], scale=1))
    gutter = grid.shape[1] - 32 - CELL_GAP
    assert (grid[:32, :gutter] < 100).any()
    assert (grid[34:, :gutter] == 255).all()


def test_rows_of_unequal_length_are_padded_with_background():
    images = [random_images(3, 8, 8), random_images(1, 8, 8)]
    grid = decode(image_grid(images, ["a", "b"], scale=1))
    assert (grid[8 + CELL_GAP : 16 + CELL_GAP, -2 * (8 + CELL_GAP) :] == 255).all()


def test_nothing_is_left_where_the_file_cannot_be_written(tmp_path):
    (tmp_path / "grid.png").mkdir()
    with pytest.raises(OSError, match="directory"):
        image_grid(random_images(1, 1, 8, 8), ["a"], tmp_path / "grid.png")
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]


def test_one_image_as_png():
    image = random_images(9, 7)
    np.testing.assert_array_equal(decode(png_bytes(image)), image)


@pytest.mark.parametrize(
    ("images", "labels", "scale", "message"),
    [
        (random_images(2, 3, 4, 4), ["one"], None, "needs rows and one label a row, got 2 and 1"),
        ([], [], None, "got 0 and 0"),
        (random_images(2, 4, 4), ["a", "b"], None, r"got uint8\[4, 4, 3\]"),
        (random_images(1, 2, 4, 4).astype(float), ["a"], None, r"got float64\[2, 4, 4, 3\]"),
        (random_images(1, 1, 4, 4), ["a"], 0, "scale must be 1 or more, got 0"),
        ([random_images(1, 4, 4), random_images(1, 8, 8)], ["a", "b"], 1, "several sizes"),
    ],
)
def test_what_does_not_fit_is_refused(images, labels, scale, message):
    with pytest.raises(ValueError, match=message):
        image_grid(images, labels, scale=scale)


@pytest.mark.parametrize(("one", "other"), [("é", "ü"), ("光", "化"), ("м", "л")])
def test_no_two_letters_are_drawn_alike(one, other):
    images = random_images(1, 1, 8, 8)
    assert image_grid(images, [one]) != image_grid(images, [other])


def test_a_long_name_is_whole():
    images = random_images(1, 1, 8, 8)
    name = "basal cell carcinoma, superficial type, of the upper back " * 4
    whole, cut = (decode(image_grid(images, [label])) for label in (name, name[:-4]))
    assert whole.shape[1] > cut.shape[1]
