"""Training resumes where it stopped; stored images are those of the state."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from benchmarks.study import baselines, versus
from skin_synth.data.pipeline import load_split
from skin_synth.presets import override
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint

pytestmark = pytest.mark.slow


@pytest.fixture
def entry(phantom_data, tiny_preset, monkeypatch):
    # A few channels, for speed.
    for network in ("generator", "discriminator"):
        monkeypatch.setattr(baselines.ConditionalDCGAN, f"{network}_widths", {32: (16, 8, 8)})
    shared = {"preset": tiny_preset, "fingerprint": fingerprint(phantom_data)}
    return versus.Entry(contestant="dcgan", seed=1, policy="float32", threads=0, **shared)


@pytest.fixture
def model(entry, phantom_data):
    return entry.make(load_split(phantom_data, "train").class_names)


@pytest.fixture
def by_images(entry):
    """An entry whose clock has a minute for each burst of steps."""
    burst = versus.STEPS_BETWEEN_LOOKS * entry.preset.batch_size
    return dataclasses.replace(entry, rate=burst / 60)


def train(entry, data, out, marks):
    split = load_split(data, "train")
    versus.train(entry, split, np.array([0, 1]), out, marks=marks, save_seconds=1e9)


def test_marks_are_generated_by_the_saved_state_and_a_second_call_goes_on(
    entry, model, phantom_data, tmp_path, capsys
):
    train(entry, phantom_data, tmp_path, [0.001])
    place = versus.Place(tmp_path, entry)
    used = place.restore(model)
    with np.load(place.mark(0.001)) as stored:
        np.testing.assert_array_equal(stored["images"], model.generate([0, 1], [0, 1]))
        assert stored["images_seen"] == model.images_seen > 0
        assert stored["cpu_seconds"] == used >= 0.06
    train(entry, phantom_data, tmp_path, [0.001, used / 60 + 0.001])
    state = json.loads((place.path / versus.STATE).read_text())
    assert state["cpu_seconds"] > used
    assert state["images_seen"] > model.images_seen
    assert len(list(place.path.glob("*.weights.h5"))) == 1
    assert capsys.readouterr().out.count("CPU minutes") == 2


def test_a_clock_by_images_shows_the_images_seen(by_images, phantom_data, tmp_path):
    train(by_images, phantom_data, tmp_path, [3.0])
    with np.load(versus.Place(tmp_path, by_images).mark(3.0)) as stored:
        assert stored["images_seen"] == 3 * versus.STEPS_BETWEEN_LOOKS * by_images.preset.batch_size
        assert stored["cpu_seconds"] == pytest.approx(180)


def test_what_was_started_otherwise_is_refused(entry, model, phantom_data, tmp_path):
    versus.Place(tmp_path, entry).save(model, 90.0)
    other = dataclasses.replace(entry, threads=3)
    with pytest.raises(InputError, match="another threads"):
        versus.Place(tmp_path, other).restore(model)
    with pytest.raises(InputError, match=r"1\.5 CPU minutes, past the new marks \[1\.0\]"):
        train(entry, phantom_data, tmp_path, [1.0])


def test_a_mark_whose_state_was_lost_is_generated_again(by_images, phantom_data, tmp_path):
    train(by_images, phantom_data, tmp_path, [1.0])
    place = versus.Place(tmp_path, by_images)
    with np.load(place.mark(1.0)) as stored:
        generated = stored["images"]
    (place.path / versus.STATE).unlink()
    place.mark(1.0).write_bytes(b"of the process that was killed")
    train(by_images, phantom_data, tmp_path, [1.0])
    with np.load(place.mark(1.0)) as stored:
        np.testing.assert_array_equal(stored["images"], generated)
    assert (place.path / versus.STATE).exists()


def test_a_training_with_xla_does_not_go_on_without(entry, model, tmp_path):
    compiled = dataclasses.replace(entry, xla=True)
    versus.Place(tmp_path, compiled).save(model, 90.0)
    with pytest.raises(InputError, match="another xla"):
        versus.Place(tmp_path, entry).restore(model)


def test_every_contestant_is_made_with_the_same_batch_size(entry):
    for contestant in versus.CONTESTANTS:
        model = dataclasses.replace(entry, contestant=contestant).make(("a", "b"))
        model.steps.assign(10)
        assert model.images_seen == 10 * entry.preset.batch_size


def test_a_baseline_ignores_preset_fields_that_it_does_not_read(entry, model, tmp_path):
    versus.Place(tmp_path, entry).save(model, 90.0)
    other = dataclasses.replace(entry, preset=override(entry.preset, ["gamma=3"]))
    assert versus.Place(tmp_path, other).restore(model) == 90.0
    other = dataclasses.replace(entry, preset=override(entry.preset, ["batch_size=2"]))
    with pytest.raises(InputError, match="another preset"):
        versus.Place(tmp_path, other).restore(model)


def test_labels_are_enough_for_the_reference_and_for_coverage():
    labels = versus.labels_to_generate(np.array([80, 300, 4000]), np.array([20, 60, 900]))
    np.testing.assert_array_equal(np.bincount(labels), [200, 300, 900])
