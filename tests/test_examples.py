"""The examples in the repository run."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import skin_synth
import tfrecords_tools
from skin_synth.data.synthetic import GeneratesBatches
from skin_synth.phantoms import CLASS_NAMES
from tests.data_sets import write_class_folders, write_records
from tests.images import noise
from tfrecords_tools.image_folder import write_image_folder
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import Record

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_example(path, words, monkeypatch):
    monkeypatch.setattr(sys, "argv", [Path(path).name, *map(str, words)])
    runpy.run_path(str(EXAMPLES / path), run_name="__main__")


def test_train_from_python(tiny_preset, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["--out", out, "--preset", tiny_preset.name, "--images", "16"]
    run_example("train_from_python.py", words, monkeypatch)
    assert f"{len(CLASS_NAMES)} classes in rows" in capsys.readouterr().out
    with Image.open(out / "grid.png") as grid:  # ten columns and seven rows
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
    ("example", "printed"),
    [
        ("with_tfds.py", "melanoma: 6\nnaevus: 17\n"),
        ("with_tf_data.py", "images uint8(16, 24, 32, 3), labels ["),
        ("with_pytorch.py", "images torch.float32[16, 3, 24, 32], labels ["),
    ],
)
def test_reading(example, printed, data, monkeypatch, capsys):
    if "pytorch" in example:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    path = EXAMPLES / "reading" / example
    # The data set has fewer records than a batch of the example.
    source = path.read_text().replace("32, drop", "16, drop").replace("=32", "=16")
    monkeypatch.setattr(sys, "argv", [example, str(data)])
    exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
    assert printed in capsys.readouterr().out


@pytest.fixture(scope="module")
def balanced(tmp_path_factory) -> Path:
    """Two classes, dark and bright, real and synthetic, as `skin-synth balance` writes them."""

    def records(first, count, origin):
        for number in range(first, first + count):
            dark = noise(number, 32, 32) // 4
            image = encode_png(dark + np.uint8(190) * np.uint8(number % 2))
            name = f"{origin}{number}"
            yield Record(image, number % 2, name, name, origin)

    out = tmp_path_factory.mktemp("balanced") / "data"
    train = [*records(0, 20, "real"), *records(20, 12, "synthetic")]
    splits = {"train": train, "test": records(40, 8, "real")}
    return write_records(out, splits, class_names=("dark", "bright"), image_shape=(32, 32, 3))


def test_a_keras_classifier_learns_from_a_balanced_data_set(balanced, monkeypatch, capsys):
    run_example("balanced/keras_classifier.py", [balanced], monkeypatch)
    printed = capsys.readouterr().out
    assert "held-out real images: loss" in printed
    assert float(printed.split()[-1]) >= 0.9


def test_a_small_site_trains_on_synthetic_images_then_on_its_own(
    balanced, tmp_path, monkeypatch, capsys
):
    class Generator(GeneratesBatches):
        class_names, image_size = ("dark", "bright"), 32

        def generate(self, labels, seeds, *, truncation=1.0):
            images = [noise(int(seed) % 2**32, 32, 32) // 4 for seed in seeds]
            return np.stack(images) + np.uint8(190) * labels.astype(np.uint8)[:, None, None, None]

    monkeypatch.setattr(skin_synth, "load_pretrained", lambda name: Generator())
    out = tmp_path / "classifier.keras"
    run_example("small_site/synthetic_then_own.py", [balanced, "g", out, "24"], monkeypatch)
    assert "on 8 held-out real images" in capsys.readouterr().out
    grey = np.zeros((2, 32, 32, 3), np.uint8) + np.array([30, 220], np.uint8)[:, None, None, None]
    dark, bright = keras.models.load_model(out).predict(grey)[:, 1]
    assert bright > dark


def test_pytorch_reads_the_image_folder(balanced, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    folder = write_image_folder(balanced, tmp_path / "folder")
    run_example("balanced/pytorch_folder.py", [folder], monkeypatch)
    printed = capsys.readouterr().out
    assert "images torch.float32[16, 3, 32, 32]" in printed
    assert "{'real': 20, 'synthetic': 12}" in printed


def test_the_check_of_tf_serving_says_why_it_is_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(SystemExit, match=r"^0$"):
        run_example("serve/check.py", [tmp_path], monkeypatch)
    assert capsys.readouterr().out == "skipped: there is no docker\n"
