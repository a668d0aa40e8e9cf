"""What comes with the package: float32, small, complete, and in the wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

from skin_synth.pretrained import pack, packing
from tests.files import contents
from tfrecords_tools.errors import InputError

ROOT = Path(__file__).parents[3]


def test_a_large_one_or_one_without_card_leaves_nothing(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_PACKED_BYTES", 50_000)
    with pytest.raises(InputError, match="at most 0 MiB may come with the package"):
        pack(tiny_run, tmp_path / "tiny", "# Card")
    with pytest.raises(InputError, match="needs a model card"):
        pack(tiny_run, tmp_path / "tiny", " \n")
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_carries_all_of_its_files(packed, tmp_path, monkeypatch):
    package = tmp_path / "skin_synth" / "pretrained"
    shutil.copytree(ROOT / "skin_synth" / "pretrained", package)
    (package.parent / "__init__.py").touch()
    shutil.copytree(packed / "tiny", package / "derm-64-tiny")
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    distribution = Distribution()
    distribution.parse_config_files(["setup.cfg"])
    command = build_py(distribution)
    command.finalize_options()
    carried = {
        Path(folder, name).relative_to(package) if Path(folder).is_absolute() else Path(name)
        for _, folder, _, names in command.data_files
        if folder.endswith("pretrained")
        for name in names
    }
    expected = {Path("derm-64-tiny", file) for file in contents(package / "derm-64-tiny")}
    assert len(expected) >= 7
    assert expected <= carried
