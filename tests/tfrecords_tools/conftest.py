"""Class folders of noise, and a data set that is built from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.data_sets import write_class_folders


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
