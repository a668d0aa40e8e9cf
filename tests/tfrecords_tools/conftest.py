"""Small folders of images, and a data set that is built from one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = {"melanoma": 8, "naevus": 24}


def noise(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    """uint8[height, width, 3], another for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_class_folders(root: Path) -> Path:
    """PNGs of noise in the folders of `CLASSES`; no two are equal."""
    for number, (label, count) in enumerate(CLASSES.items()):
        (root / label).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(noise(1000 * number + index)).save(root / label / f"{index:02d}.png")
    return root


@pytest.fixture
def folders(tmp_path) -> Path:
    """Class folders that the test may change."""
    return write_class_folders(tmp_path / "images")


@pytest.fixture(scope="session")
def small_data(tmp_path_factory) -> Path:
    """A data set of two classes at 16x16; read only."""
    from tfrecords_tools import build

    root = tmp_path_factory.mktemp("small")
    build(write_class_folders(root / "images"), root / "data", name="small", size=16)
    return root / "data"


@pytest.fixture
def damageable(small_data, tmp_path) -> Path:
    """A copy of `small_data` that the test may damage."""
    return Path(shutil.copytree(small_data, tmp_path / "data"))
