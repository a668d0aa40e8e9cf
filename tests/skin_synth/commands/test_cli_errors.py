"""Wrong input to the command `skin-synth`: exit code 1, one clear line, nothing left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skin_synth import cli
from tests.data_sets import write_records
from tests.files import files_of_at_most
from tests.skin_synth.commands.test_cli import fails
from tests.skin_synth.rewriting import altered, rewritten
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read_info, read_records
from tfrecords_tools.records.schema import SPLITS, Record, parse_record


def on_data(command: str, data: Path, run: Path, out: Path) -> list[str]:
    if command == "train":
        return ["train", "--data", str(data), "--run", str(out)]
    return [command, "--run", str(run), "--data", str(data), "--out", str(out)]


@pytest.mark.parametrize("command", ["train", "balance", "evaluate"])
def test_data_that_are_not_there(command, tiny_run, tmp_path, capsys):
    missing, empty, out = tmp_path / "missing", tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    fails(on_data(command, missing, tiny_run.directory, out), str(missing), capsys)
    fails(on_data(command, empty, tiny_run.directory, out), str(empty), capsys)
    assert list(tmp_path.iterdir()) == [empty]


@pytest.mark.parametrize("command", ["generate", "balance", "evaluate", "export"])
def test_run_that_is_not_there(command, phantom_data, tmp_path, capsys):
    extra = {
        "generate": ["--label", "x", "--count", "1"],
        "balance": ["--data", str(phantom_data)],
        "evaluate": ["--data", str(phantom_data)],
    }
    words = [command, "--run", str(tmp_path / "no_run"), "--out", str(tmp_path / "out")]
    fails([*words, *extra.get(command, [])], "no_run", capsys)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def other_data(phantom_data, tmp_path_factory) -> Path:
    """The data set of `tiny_run` with one record that differs."""
    return altered(phantom_data, tmp_path_factory.mktemp("other") / "data", image_id="other")


@pytest.mark.parametrize("command", ["train", "balance", "evaluate"])
def test_run_of_another_data_set(command, tiny_run, other_data, tmp_path, capsys):
    out = tmp_path / "out"
    if command == "train":
        out = tmp_path / "run"
        shutil.copytree(tiny_run.directory, out)
    before = snapshot(tmp_path)
    fails(on_data(command, other_data, tiny_run.directory, out), "other", capsys)
    assert snapshot(tmp_path) == before


def test_one_class_only(tmp_path, capsys):
    image = encode_png(np.full((64, 64, 3), 99, np.uint8))
    records = [Record(image=image, label=0, image_id=f"i{n}", group=f"g{n}") for n in range(4)]
    shape = {"class_names": ("nevus",), "image_shape": (64, 64, 3)}
    data, run = write_records(tmp_path / "data", {"train": records}, **shape), tmp_path / "run"
    fails(["train", "--data", str(data), "--run", str(run)], "nevus", capsys)
    assert not run.exists()


def test_a_class_without_training_images(phantom_data, tmp_path, capsys):
    splits = {split: [*read_records(phantom_data, split)] for split in SPLITS}
    lost = read_info(phantom_data).class_names[1]
    splits["train"] = [record for record in splits["train"] if parse_record(record).label != 1]
    data, run = rewritten(phantom_data, splits, tmp_path / "data"), tmp_path / "run"
    words = ["train", "--data", str(data), "--run", str(run), "--preset", "derm-32"]
    fails(words, f"has no training image of {lost}: build it again without it", capsys)
    assert not run.exists()


def test_unknown_label(tiny_run, tmp_path, capsys):
    words = f"generate --run {tiny_run.directory} --label mole --count 1 --out {tmp_path / 'out'}"
    fails(words.split(), tiny_run.class_names[-1], capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "told"),
    [("--preset derm-64", "--size 64"), ("--preset derm-32 --policy float8", "mixed_bfloat16")],
)
def test_options_that_do_not_fit(flags, told, phantom_data, tmp_path, capsys):
    words = f"train --data {phantom_data} --run {tmp_path / 'run'} {flags}"
    fails(words.split(), told, capsys)
    assert not list(tmp_path.iterdir())


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", ["generate", "balance", "export"])
def test_writes_that_fail_half_way_leave_nothing(command, tiny_run, phantom_data, tmp_path, capsys):
    extra = {
        "generate": ["--label", tiny_run.class_names[0], "--count", "40"],
        "balance": ["--data", str(phantom_data)],
    }
    words = [command, "--run", str(tiny_run.directory), "--out", str(tmp_path / "out")]
    with files_of_at_most(4096):
        fails([*words, *extra.get(command, [])], "the disk is full", capsys)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("eager_steps")
def test_training_goes_on_once_there_is_space(phantom_data, tiny_preset, tmp_path, capsys):
    run = tmp_path / "run"
    words = f"train --data {phantom_data} --run {run} --preset {tiny_preset.name} --images 16"
    with files_of_at_most(4096):
        fails(words.split(), "the disk is full", capsys)
    assert not list((run / "checkpoints").iterdir())
    assert cli.main_with(words.split()) == 0
    assert "16 images" in capsys.readouterr().out
    (good,) = (run / "checkpoints").iterdir()
    with files_of_at_most(good.stat().st_size // 2):
        more = words.replace("--images 16", "--images 24").split()
        fails(more, f"{good.name} is kept", capsys)
    assert list((run / "checkpoints").iterdir()) == [good]


def test_the_installed_command_answers_with_one_line(tmp_path):
    program = Path(sys.executable).with_name("skin-synth")
    words = [program, "export", "--run", tmp_path / "none", "--out", tmp_path / "model"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "none") in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())
