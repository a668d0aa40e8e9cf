"""The examples run as they stand in the repository."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

import tfrecords_tools
from skin_synth.phantoms import CLASS_NAMES
from tests.tfrecords_tools.conftest import write_class_folders

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_train_from_python(tiny_preset, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["--out", str(out), "--preset", tiny_preset.name, "--images", "16"]
    monkeypatch.setattr(sys, "argv", ["train_from_python.py", *words])
    runpy.run_path(str(EXAMPLES / "train_from_python.py"), run_name="__main__")
    assert f"{len(CLASS_NAMES)} classes in rows" in capsys.readouterr().out
    with Image.open(out / "grid.png") as grid:
        # Ten columns and seven rows, at least as many pixels as the images themselves.
        assert grid.width >= 10 * tiny_preset.image_size
        assert grid.height >= len(CLASS_NAMES) * tiny_preset.image_size


def test_every_example_opens_with_what_it_shows_the_time_and_the_command():
    for path in [*EXAMPLES.rglob("*.py"), *EXAMPLES.rglob("*.sh")]:
        opening = path.read_text()[:900]
        assert "akes about" in opening, path
        assert str(path.relative_to(EXAMPLES.parent)) in opening, path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data set of two classes, with images of several sizes."""
    root = tmp_path_factory.mktemp("reading")
    tfrecords_tools.build(write_class_folders(root / "images"), root / "data", name="small")
    return root / "data"


@pytest.mark.parametrize(
    ("example", "told"),
    [
        ("with_tfds.py", "melanoma: 6\nnaevus: 17\n"),
        ("with_tf_data.py", "images uint8(16, 24, 32, 3), labels ["),
        ("with_pytorch.py", "images torch.float32[16, 3, 24, 32], labels ["),
    ],
)
def test_reading(example, told, data, monkeypatch, capsys):
    if "pytorch" in example:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    path = EXAMPLES / "reading" / example
    # There are fewer records than a batch of the example holds.
    source = path.read_text().replace("32, drop", "16, drop").replace("=32", "=16")
    monkeypatch.setattr(sys, "argv", [example, str(data)])
    exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
    assert told in capsys.readouterr().out
