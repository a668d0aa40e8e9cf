"""The examples run as they stand in the repository."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from PIL import Image

from skin_synth.phantoms import CLASS_NAMES

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
