"""The command `tfrecords-tools`: its contract, and one clear line for each wrong input."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.files import files_of_at_most, flip_bit
from tests.images import noise
from tfrecords_tools import cli
from tfrecords_tools.records.reader import read_info

CONTRACT = (
    "build I --out D --name n",
    "build I --out D --name n --labels C --id_column i --label_column dx --group_column g",
    "build I --out D --name n --size 64 --splits train=0.7,validation=0.15,test=0.15",
    "build I --out D --name n --size original --keep_splits OLD --min_side 8 --max_rejected 0.1",
    "build I --out D --name n --seed 0 --workers 3 --runner threads --overwrite",
    "build I --out D --name n --runner beam --beam_pipeline_options runner=DirectRunner,x=1",
    "build I --out D --name n --labels C --one_hot --metadata M --split_column s --label_map L",
    "build I --out D --name n --labels C --extra_columns age:float,sex --max_pixels 9",
    "build I --out D --name n --size 64 --resize pad --encoding jpeg --jpeg_quality 90",
    "inspect D",
    "verify D",
)

WRONG = (
    ("", "COMMAND"),
    ("paint", "paint"),
    ("biuld", "did you mean build?"),
    ("build", "IMAGES"),
    ("build I --name n", "--out"),
    ("build I --name n --ou D", "unknown flag --ou: did you mean --out?"),
    ("build I --out D --name n --nonsense 3", "--nonsense"),
    ("build I --out D --name n --over", "--over"),
    ("build I --out D --name n --size big", "'big'"),
    ("build I --out D --name n --size 0", "'0'"),
    ("build I --out D --name n --size -64", "'-64'"),
    ("build I --out D --name n --size \u0663", "number of pixels"),
    ("build I --out D --name n --splits 0.7,0.3", "'0.7,0.3'"),
    ("build I --out D --name n --splits train=0.5,train=0.5", "such as train=0.7"),
    ("build I --out D --name n --runner sparks", "sparks"),
    ("build I --out D --name n --resize stretch", "stretch"),
    ("build I --out D --name n --encoding gif", "gif"),
    ("build I --out D --name n --extra_columns age:number", "kind 'number'"),
    ("build I --out D --name n --workers many", "many"),
    ("build I J --out D --name n", "J"),
    ("inspect", "DIR"),
    ("verify D E", "E"),
    ("verify D --v=abc", "--v"),
)


@pytest.mark.parametrize("line", CONTRACT)
def test_every_flag_of_the_contract_is_taken(line):
    options = cli.make_parser().parse_args(line.split())
    assert isinstance(options, argparse.Namespace)


def test_defaults_of_the_contract():
    options = vars(cli.make_parser().parse_args(["build", "I", "--out", "D", "--name", "n"]))
    del options["work"]
    assert options.pop("name") == "n"
    without = "labels group_column metadata split_column extra_columns label_map splits keep_splits"
    without += " folders one_hot_columns unmarked_class join_column"
    images = {"size": "original", "resize": "crop", "encoding": "png", "jpeg_quality": 95}
    images["keep_metadata"] = False
    limits = {"min_side": 8, "max_pixels": 100_000_000, "max_rejected": 0.1}
    work = {"seed": 0, "workers": None, "runner": "threads", "beam_pipeline_options": ""}
    assert options == {
        **{"images": "I", "out": "D", "overwrite": False, "one_hot": False},
        "accept_findings": False,
        "folds": None,
        "split_values": None,
        "follow_links": False,
        **{"id_column": "image_id", "label_column": "label"},
        **(dict.fromkeys(without.split()) | images | limits | work),
    }


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_wrong_usage(line, message, capsys):
    assert cli.main_with(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("usage: tfrecords-tools")
    assert "error: " in captured.err.splitlines()[-1]
    assert message in captured.err.splitlines()[-1]


@pytest.mark.parametrize("command", ["", "build", "inspect", "verify"])
def test_help(command, capsys):
    assert cli.main_with([*command.split(), "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: tfrecords-tools {command}".rstrip())


def test_the_pipeline(folders, tmp_path, capsys):
    out = tmp_path / "data"
    (folders / "notes.txt").write_text("not an image")
    words = ["build", str(folders), "--out", str(out), "--name", "x"]
    assert cli.main_with([*words, "--size", "16"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: train 23, validation 5, test 4 images in 2 classes",
        f"1 files rejected: see {out}/rejected.csv",
    ]
    assert read_info(out).image_shape == (16, 16, 3)
    fails(words, "exists already: choose another place, or give --overwrite", capsys)
    assert cli.main_with(["verify", str(out)]) == 0
    assert capsys.readouterr().out == f"{out} is sound: 32 records\n"
    assert cli.main_with(["inspect", str(out)]) == 0
    assert "naevus" in capsys.readouterr().out


def test_every_option_arrives(folders, tmp_path, capsys):
    rows = [f"{path.stem}{path.parent.name},{path.parent.name},{path.stem}"
            for path in sorted(folders.rglob("*.png"))]  # fmt: skip
    for path in sorted(folders.rglob("*.png")):
        path.rename(folders / f"{path.stem}{path.parent.name}.png")
    Image.fromarray(noise(77, 9, 9)).save(folders / "small.png")
    (tmp_path / "l.csv").write_text("\n".join(["name,kind,patient", *rows, "small,naevus,9"]))
    line = (
        f"build {folders} --out {tmp_path / 'data'} --name x --labels {tmp_path / 'l.csv'} "
        "--id_column name --label_column kind --group_column patient --splits train=0.5,test=0.5 "
        "--min_side 10 --max_rejected 0.05 --seed 3 --workers 2"
    )
    assert cli.main_with(line.split()) == 0
    output = capsys.readouterr().out
    assert "1 files rejected" in output
    assert "images without a group, each counted as one group: 0\n" in output
    assert cli.main_with(["inspect", str(tmp_path / "data")]) == 0
    output = capsys.readouterr().out
    for words in ("original", "train=1/2 test=1/2", "min_side 10", "max_rejected 0.05", "seed 3",
                  "group_column patient", "1 too_small"):  # fmt: skip
        assert words in output
    # Of 24 patients eight have images in both classes: one group each, in one split.
    assert ["groups", "12", "12", "24"] in [row.split() for row in output.splitlines()]
    again = f"{line} --overwrite --keep_splits {tmp_path / 'data'}"
    assert cli.main_with(again.split()) == 0


def test_cut_short_search_and_lost_class_are_reported(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tfrecords_tools.build_steps.near_duplicates.MAX_CANDIDATES", 0)
    for number in range(12):
        flat = Image.new("RGB", (9 + number, 9), (number, 0, 0))
        flat.save(folders / "naevus" / f"f{number}.png")
    (folders / "df").mkdir()
    (folders / "df" / "x.png").write_bytes(b"")
    assert cli.main_with(["build", str(folders), "--out", str(tmp_path / "o"), "--name", "x"]) == 0
    output = capsys.readouterr().out
    assert "search for images that look the same was cut short: there may be more" in output
    assert "without a single good image, left out: df" in output


@pytest.mark.parametrize(
    ("flags", "note"),
    [
        ([], "to train a GAN on them, build with --size 32, 64, 128 or 256"),
        (["--size", "16"], None),
        (["--size", "32"], None),
    ],
)
def test_images_that_keep_their_sizes_are_not_for_training(flags, note, folders, tmp_path, capsys):
    out = tmp_path / "data"
    assert cli.main_with(["build", str(folders), "--out", str(out), *flags]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert ("to train" in last) == (note is not None)
    assert note is None or note in last
    assert read_info(out).name == folders.name


def fails(words: list[str], message: str, capsys) -> None:
    """The command exits 1, with one clear line at the end of standard error."""
    assert cli.main_with(words) == 1
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("tfrecords-tools: error: ")]
    assert errors == lines[-1:]
    assert message in lines[-1]
    assert "Traceback" not in "".join(lines)


WRONG_INPUTS = {
    "missing folder": ("{root}/nowhere", "nowhere is not a folder"),
    "empty folder": ("{root}/empty", "is empty: give the folder"),
    "a file": ("{root}/l.csv", "l.csv is not a folder"),
    "one class": ("{root}/one", "has one class only, 'naevus'"),
    "row without a file": ("{images} --labels {root}/l.csv", "1 rows of"),
    "missing table": ("{images} --labels {root}/no.csv", "no.csv is not a file"),
    "shares": ("{images} --splits train=0.7", "must sum to 1"),
    "too small": ("{images} --min_side 99", "the shorter side must be 99"),
    "no old data": ("{images} --keep_splits {root}/nowhere", "nowhere does not exist"),
    "inside": ("{images} --out {images}/out", "lies in the image folder"),
    "name": ("{images} --name ham-64-train", "'ham-64-train' does not fit"),
    "missing map": ("{images} --label_map {root}/no.csv", "no.csv is not a file: give a CSV with"),
}
"""Words after `build`, and the error message."""


@pytest.mark.parametrize("case", WRONG_INPUTS)
def test_wrong_input_gets_one_line_and_leaves_nothing(case, folders, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    shutil.copytree(folders / "naevus", tmp_path / "one" / "naevus")
    (tmp_path / "l.csv").write_text("image_id,label\nnaevus/00,nv\nlost,nv\n")
    before = sorted(tmp_path.rglob("*"))
    line, message = WRONG_INPUTS[case]
    words = line.format(images=folders, root=tmp_path).split()
    usual = {"--name": "x", "--out": f"{tmp_path}/deep/out"}
    others = [word for flag in usual if flag not in words for word in (flag, usual[flag])]
    fails(["build", *others, *words], message, capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(importlib.util.find_spec("apache_beam"), reason="Apache Beam is installed")
def test_beam_that_is_not_installed(folders, tmp_path, capsys):
    words = ["build", str(folders), "--out", str(tmp_path / "out"), "--name", "x"]
    fails([*words, "--runner", "beam"], "pip install 'skin-synth[beam]'", capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_no_data_set(command, tmp_path, capsys):
    fails([command, str(tmp_path / "nowhere")], "nowhere does not exist", capsys)
    fails([command, str(tmp_path)], "not a data set directory", capsys)


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_damage_fails_and_names_shard_and_record(command, damageable, capsys):
    path = read_info(damageable).splits["train"].shards[0]
    flip_bit(path, -1)
    assert cli.main_with([command, str(damageable)]) == 1
    captured = capsys.readouterr()
    assert re.search(f"{path.name}:? record 22:? (it )?is damaged", captured.out + captured.err)
    assert captured.err.splitlines()[-1].startswith("tfrecords-tools: error: ")


@pytest.fixture
def large_folders(tmp_path) -> Path:
    """Class folders of 8 x 48 kB."""
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for n in range(4):
            image = Image.fromarray(noise(n + 4 * (label == "a"), 128, 128))
            image.save(tmp_path / "images" / label / f"{n}.png")
    return tmp_path / "images"


def test_full_disk(large_folders, tmp_path, capsys):
    words = ["build", str(large_folders), "--out", str(tmp_path / "out"), "--name", "x"]
    words += ["--splits", "train=1"]
    with files_of_at_most(100_000):
        assert cli.main_with(words) == 1
    output = capsys.readouterr().err
    assert "error: the disk is full" in output.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    assert cli.main_with(words) == 0


@pytest.mark.parametrize("kilobytes", [200, 700])
def test_full_disk_in_earnest(kilobytes, large_folders, tmp_path, capsys):
    """It is full in the first pass over the images, or in the second, which a copy makes needed."""
    shutil.copy(large_folders / "a" / "0.png", large_folders / "a" / "copy.png")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        words = ["build", str(large_folders), "--out", str(disk / "out"), "--name", "x"]
        words += ["--max_rejected", "0.2"]
        fails(words, "the disk is full", capsys)
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", disk], check=True)


def test_directory_name_that_is_not_utf8(folders, tmp_path, capsys):
    words = ["verify", os.fsdecode(bytes(tmp_path) + b"/\xff")]
    assert cli.main_with(words) == 1
    assert "/\\xff does not exist" in capsys.readouterr().err


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "tfrecords_tools", "verify", "/nowhere"],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"},
    )
    assert done.returncode == 1
    assert done.stderr == (
        "tfrecords-tools: error: /nowhere does not exist: give a data set directory\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["build", "--help"], ["build", "--nonsense"], []])
def test_usage_loads_nothing_heavy(words):
    code = (
        "import sys\nfrom tfrecords_tools import cli\n"
        f"cli.main_with({words!r})\n"
        "print({'tensorflow', 'tensorflow_datasets', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
