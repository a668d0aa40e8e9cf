"""A pretrained generator makes the images of its run, and names its origin."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

import skin_synth
from skin_synth import cli
from skin_synth.data.synthetic import synthetic_requests
from skin_synth.pretrained import catalogue, known_names, load_exported, load_pretrained
from skin_synth.provenance import read_manifest
from skin_synth.synthesis import GenerationOptions, generate_images, verify_manifest
from tests.publishing import added_to_path, write_metadata
from tests.skin_synth.pretrained.conftest import CARD
from tfrecords_tools.errors import InputError

SHIPPED = ("derm-128-ham10000", "derm-64-ham10000")


@pytest.fixture(scope="module")
def tiny(installed):
    return load_pretrained("tiny")


def test_it_generates_what_the_run_generates(tiny, tiny_run):
    ids, seeds = [0, 3, 6, 3], [5, 0, 2**62, -1]
    np.testing.assert_array_equal(tiny.generate(ids, seeds), tiny_run.generate(ids, seeds))
    np.testing.assert_array_equal(
        tiny.generate(ids, seeds, truncation=0.5, batch_size=3),
        tiny_run.generate(ids, seeds, truncation=0.5),
    )
    assert tiny.generate([], []).shape == (0, 32, 32, 3)


def test_it_says_what_it_is(tiny, tiny_run):
    for name in ("class_names", "image_size", "origin"):
        assert getattr(tiny, name) == getattr(tiny_run, name), name
    assert tiny.model_card == CARD


@pytest.mark.parametrize(
    ("ids", "seeds", "message"),
    [([7], [0], "label ids must be in"), ([0, 1], [0], "one length"), ([0.5], [0], "whole")],
)
def test_wrong_input_is_refused(tiny, ids, seeds, message):
    with pytest.raises(InputError, match=message):
        tiny.generate(ids, seeds)


def test_an_unknown_name_lists_the_known(installed):
    assert known_names() == (*SHIPPED, "tiny")
    for name in ("big", "../tiny", "tiny/1", ""):
        with pytest.raises(InputError, match=rf"there are {', '.join(SHIPPED)}, tiny$") as caught:
            load_pretrained(name)
        assert f"unknown pretrained generator {name!r}" in str(caught.value)


def test_generators_are_listed_by_the_size_of_their_images(installed, monkeypatch):
    assert catalogue.names_for(32) == ("tiny",)
    assert catalogue.names_for(64) == ("derm-64-ham10000",)
    assert catalogue.names_for(128) == ("derm-128-ham10000",)
    assert catalogue.names_for(256) == ()
    monkeypatch.setattr(catalogue, "known_names", lambda: ("removed", "tiny"))
    assert catalogue.names_for(32) == ("tiny",)  # one that is damaged stops no training


def test_a_distribution_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(catalogue, "entry_points", lambda **_: ())
    line = "none is installed; pip install skin-synth-ham10000"
    for name in ("derm-64-ham10000", "big"):
        with pytest.raises(InputError, match=f"^unknown pretrained generator '{name}': {line}$"):
            load_pretrained(name)


def test_a_name_of_two_distributions_is_refused(installed, tmp_path):
    write_metadata(tmp_path, "other-generators", {"tiny": "tiny_generators"})
    with added_to_path(tmp_path):
        assert known_names() == (*SHIPPED, "tiny")
        both = "other-generators and skin-synth-tiny both bring a generator 'tiny'"
        with pytest.raises(InputError, match=f"{both}: uninstall one"):
            load_pretrained("tiny")


@pytest.mark.parametrize(
    ("package", "message"),
    [("no_such_package", "cannot be found"), ("empty_package", "is missing in")],
)
def test_a_distribution_without_its_files_is_named(package, message, tmp_path):
    (tmp_path / "empty_package").mkdir()
    (tmp_path / "empty_package" / "__init__.py").touch()
    write_metadata(tmp_path, "broken-generators", {"gone": package})
    with added_to_path(tmp_path):
        line = f"generator 'gone' {message} .*: install broken-generators again"
        with pytest.raises(InputError, match=line):
            load_pretrained("gone")


def test_a_damaged_one_is_named(packed, tmp_path):
    version = tmp_path / "damaged_generators" / "old" / "1"
    shutil.copytree(packed / "tiny" / "1", version)
    (tmp_path / "damaged_generators" / "__init__.py").touch()
    write_metadata(tmp_path, "damaged-generators", {"old": "damaged_generators"})
    with added_to_path(tmp_path):
        (version / "data_images.csv").write_text("image_id,label,split\na,b\n")
        with pytest.raises(InputError, match=r"is damaged.*no list of images.*again"):
            load_pretrained("old")
        next((version / "variables").glob("*.index")).unlink()
        with pytest.raises(InputError, match=r"is damaged.*install damaged-generators again"):
            load_pretrained("old")
        (version / "origin.json").write_text("{")
        with pytest.raises(InputError, match=r"origin.json.*install damaged-generators again"):
            load_pretrained("old")


def test_an_exported_generator_generates_what_the_run_generates(served_version, tiny_run):
    one, newest = load_exported(served_version), load_exported(served_version.parent)
    assert one.directory == newest.directory == served_version
    assert one.class_names == tiny_run.class_names
    expected = tiny_run.generate([1, 2], [3, 4])
    np.testing.assert_array_equal(one.generate([1, 2], [3, 4]), expected)


def test_a_path_is_a_pretrained_generator_too(served_version, installed, tmp_path, monkeypatch):
    found = load_pretrained(str(served_version.parent))
    assert found.directory == served_version
    shutil.copytree(served_version, tmp_path / "tiny" / "7")
    monkeypatch.chdir(tmp_path)
    assert load_pretrained("tiny").directory == installed / "tiny" / "1"
    assert load_pretrained("./tiny").directory.name == "7"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty.origin\.json does not exist: give a version"):
        load_pretrained("empty")


def test_the_list_has_what_a_newcomer_needs(installed, tiny, capsys):
    assert cli.main_with(["pretrained"]) == 0
    printed = capsys.readouterr().out
    _, _, own = printed.partition("tiny\n")
    assert "32x32 pixels" in own
    assert ", ".join(tiny.class_names) in own
    command = next(line for line in own.splitlines() if "skin-synth generate" in line)
    cli.make_parser().parse_args(command.split()[2:])
    assert str(installed / "tiny" / "1" / "model_card.md") in own


def test_the_list_says_how_to_install_those_that_are_missing(monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "entry_points", lambda **_: ())
    assert cli.main_with(["pretrained"]) == 0
    missing = ("derm-64-ham10000", "derm-128-ham10000")
    lines = [f"{name}: not installed; pip install skin-synth-ham10000" for name in missing]
    assert capsys.readouterr().out.splitlines() == lines


def test_the_newest_version_is_loaded(served_version, tmp_path):
    for version in ("2", "10", "9"):
        shutil.copytree(served_version, tmp_path / version)
    assert load_exported(tmp_path).directory == tmp_path / "10"


def test_an_exported_generator_that_is_missing_or_damaged(served_version, tmp_path):
    with pytest.raises(InputError, match=r"origin\.json .*: give a version"):
        load_exported(tmp_path)
    shutil.copytree(served_version, tmp_path / "1")
    (tmp_path / "1" / "saved_model.pb").unlink()
    with pytest.raises(InputError, match=r"is damaged.*export the model again"):
        load_exported(tmp_path)


def test_runs_pretrained_and_exported_generators_generate_the_same_batches(
    tiny, tiny_run, served_version
):
    options = {"seed": 4, "class_shares": {"star": 1, "ring": 3}, "truncation": 0.8}
    expected = [*tiny_run.dataset(8, **options).take(2).as_numpy_iterator()]
    for generator in (tiny, load_exported(served_version)):
        found = generator.dataset(8, **options).take(2).as_numpy_iterator()
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
    labels, seeds = synthetic_requests(tiny, 8, 1, seed=4, class_shares=options["class_shares"])
    again = tiny_run.generate(labels, seeds, truncation=0.8)
    np.testing.assert_array_equal(again, expected[1][0])
    natural = synthetic_requests(tiny_run, 1000, 0, class_shares="natural")[0]
    counts = np.array(tiny_run.class_counts)
    shares = np.bincount(natural, minlength=7) / 1000
    np.testing.assert_allclose(shares, counts / counts.sum(), atol=0.05)


def test_the_public_names_are_these_functions():
    assert skin_synth.load_pretrained is load_pretrained
    assert skin_synth.load_exported is load_exported


@pytest.mark.usefixtures("installed")
def test_generate_on_the_command_line_needs_no_training_data(tmp_path, capsys):
    out = tmp_path / "out"
    words = f"generate --pretrained tiny --label star --count 3 --seed 4 --out {out}".split()
    assert cli.main_with(words) == 0
    rows = read_manifest(out / "manifest.csv")
    assert [row.seed for row in rows] == [4, 5, 6]
    assert {row.nearest_image_id for row in rows} == {""}
    assert cli.main_with(["verify-manifest", str(out), "--pretrained", "tiny"]) == 0
    assert "3 equal" in capsys.readouterr().out
    assert cli.main_with([*words, "--run", "R"]) == 2


def test_with_the_training_data_the_nearest_image_is_named(tiny, phantom_data, tiny_run, tmp_path):
    options = GenerationOptions(label="star", count=2, seed=9)
    generate_images(tiny, tmp_path / "a", options, data=phantom_data)
    generate_images(tiny_run, tmp_path / "b", options)
    rows, expected = (read_manifest(tmp_path / name / "manifest.csv") for name in "ab")
    assert rows == expected
    assert verify_manifest(tmp_path / "a", tiny_run).equal == 2
    with Image.open(tmp_path / "a" / "9.png") as image:
        assert image.size == (32, 32)
