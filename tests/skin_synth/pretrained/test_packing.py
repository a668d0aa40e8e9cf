"""A generator is packed whole, published by a distribution, and found by its entry point."""

from __future__ import annotations

import email
import re
import shutil
import zipfile

import numpy as np
import pytest

from skin_synth import cli
from skin_synth.pretrained import known_names, load_pretrained, pack, packing
from skin_synth.saved_model.data_images import read_data_images
from tests.files import contents
from tests.publishing import GROUP, OWN_PROJECT, ROOT, added_to_path, unpack, wheel_of
from tfrecords_tools.errors import InputError


def test_a_large_one_or_one_without_card_leaves_nothing(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_PACKED_BYTES", 50_000)
    with pytest.raises(InputError, match="at most 0 MiB fit into a distribution"):
        pack(tiny_run, tmp_path / "tiny", "# Card")
    with pytest.raises(InputError, match="needs a model card"):
        pack(tiny_run, tmp_path / "tiny", " \n")
    with pytest.raises(InputError, match="does not exist"):
        pack(tiny_run, tmp_path / "tiny", "# Card", data=tmp_path / "no")
    assert list(tmp_path.iterdir()) == []


def test_image_ids_come_along_only_if_asked_for(tiny_run, packed, tmp_path):
    assert len(read_data_images(packed / "tiny" / "1")) > 100
    assert read_data_images(pack(tiny_run, tmp_path / "tiny", "# Card")) is None


def test_the_recipe_of_the_docs_publishes_a_generator(packed, tiny_run, tmp_path):
    """Its project file is built into a wheel; the unpacked wheel brings the generator."""
    recipe = (ROOT / "docs" / "synthesis.md").read_text()
    [block] = re.findall(r"```toml\n(.*?)```", recipe, flags=re.DOTALL)
    assert GROUP in block
    project = tmp_path / "my_project"
    shutil.copytree(packed, project / "my_generators")
    (project / "my_generators" / "tiny").rename(project / "my_generators" / "derm-64-my-lesions")
    (project / "pyproject.toml").write_text(block)
    unpack(wheel_of(project, tmp_path / "scratch"), tmp_path / "site")
    with added_to_path(tmp_path / "site"):
        assert "derm-64-my-lesions" in known_names()
        generator = load_pretrained("derm-64-my-lesions")
        expected = tiny_run.generate([1, 2], [3, 4])
        np.testing.assert_array_equal(generator.generate([1, 2], [3, 4]), expected)
        words = [
            "generate",
            "--pretrained",
            "derm-64-my-lesions",
            "--label",
            "star",
            "--count",
            "2",
        ]
        assert cli.main_with([*words, "--out", str(tmp_path / "images")]) == 0
    assert len(list((tmp_path / "images").glob("*.png"))) == 2
    assert "derm-64-my-lesions" not in known_names()


def test_the_wheel_of_the_generator_has_all_files_and_its_licence(tmp_path):
    with zipfile.ZipFile(wheel_of(OWN_PROJECT, tmp_path)) as wheel:
        files = {name for name in wheel.namelist() if "dist-info" not in name}
        [metadata] = [name for name in wheel.namelist() if name.endswith("METADATA")]
        facts = email.message_from_bytes(wheel.read(metadata))
        assert any(name.endswith("LICENSE") for name in wheel.namelist())
    sources = {f"skin_synth_ham10000/{f}" for f in contents(OWN_PROJECT / "skin_synth_ham10000")}
    assert files == {name for name in sources if "__pycache__" not in name}
    assert any(name.endswith("data_images.csv") for name in files)
    assert facts["License-Expression"] == "CC-BY-NC-4.0"


def test_the_apache_wheel_carries_no_generator(tmp_path):
    with zipfile.ZipFile(wheel_of(ROOT, tmp_path)) as wheel:
        names = wheel.namelist()
        size = sum(entry.file_size for entry in wheel.infolist())
        [metadata] = [name for name in names if name.endswith("METADATA")]
        facts = email.message_from_bytes(wheel.read(metadata))
    assert facts["License-Expression"] == "Apache-2.0"
    assert "skin_synth/pretrained/loading.py" in names
    assert not [name for name in names if "saved_model.pb" in name or "/variables/" in name]
    assert size < 5 * 2**20
