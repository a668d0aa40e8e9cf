"""A pretrained generator makes the images of its run, and names its origin."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

import skin_synth
from skin_synth import cli
from skin_synth.data.synthetic import synthetic_requests
from skin_synth.pretrained import known_names, load_exported, load_pretrained, loading
from skin_synth.provenance import read_manifest
from skin_synth.synthesis import GenerationOptions, generate_images, verify_manifest
from tests.skin_synth.pretrained.conftest import CARD
from tfrecords_tools.errors import InputError


@pytest.fixture(scope="module")
def tiny(packed):
    return load_pretrained("tiny", root=packed)


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


def test_an_unknown_name_lists_the_known(packed, tmp_path):
    assert known_names(packed) == ("tiny",)
    with pytest.raises(InputError, match="unknown pretrained generator 'big': there are tiny"):
        load_pretrained("big", root=packed)
    with pytest.raises(InputError, match="contains none"):
        load_pretrained("big", root=tmp_path)
    with pytest.raises(InputError, match=r"unknown pretrained generator '\.\./tiny'"):
        load_pretrained("../tiny", root=packed)


def test_a_damaged_one_is_named(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "copy")
    next((tmp_path / "copy" / "tiny" / "1" / "variables").glob("*.index")).unlink()
    with pytest.raises(InputError, match=r"is damaged.*install the package again"):
        load_pretrained("tiny", root=tmp_path / "copy")


def test_an_exported_generator_generates_what_the_run_generates(served_version, tiny_run):
    one, newest = load_exported(served_version), load_exported(served_version.parent)
    assert one.directory == newest.directory == served_version
    assert one.class_names == tiny_run.class_names
    expected = tiny_run.generate([1, 2], [3, 4])
    np.testing.assert_array_equal(one.generate([1, 2], [3, 4]), expected)


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


def test_generate_on_the_command_line_needs_no_training_data(packed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loading.load_pretrained, "__kwdefaults__", {"root": packed})
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
