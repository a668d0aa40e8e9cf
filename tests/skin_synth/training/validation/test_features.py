"""Features of validation: trained once and kept, chosen once and not changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.features import classifier
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.validation import features as module
from skin_synth.training.validation.features import ValidationFeatures, choose_features
from tfrecords_tools.errors import InputError


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(classifier, "FEWEST_STEPS", 3)
    monkeypatch.setattr(classifier, "MOST_STEPS", 3)


@pytest.fixture
def mobilenet(monkeypatch, extractor, tmp_path):
    """Replaces MobileNet: gives features of colour, and the hash of the file."""

    def make(path):
        if path is None:
            raise InputError("give --weights FILE")
        if not Path(path).exists():
            raise InputError(f"no weights file at {path}")
        provenance = {**extractor.provenance, "sha256": Path(path).read_text()}
        return dataclasses.replace(extractor, name="mobilenet", provenance=provenance)

    monkeypatch.setattr(module.extractors, "mobilenet", make)
    weights = tmp_path / "mobile.weights.h5"
    weights.write_text("a" * 64)
    return weights


def test_a_resumed_run_has_the_same_classifier(
    directory, few_steps, phantom_data, monkeypatch, caplog
):
    caplog.set_level("INFO", "skin_synth")
    train = load_split(phantom_data, "train")
    first = choose_features(directory, None, None).extractor(directory, train)
    assert len(caplog.messages) == 1
    monkeypatch.setattr(module, "train_classifier", None)
    again = choose_features(directory, None, None).extractor(directory, train)
    assert len(caplog.messages) == 1
    assert again.provenance == first.provenance
    np.testing.assert_array_equal(again(train.images[:9]), first(train.images[:9]))
    assert first(train.images[:9]).std() > 0


def test_no_judge_of_evaluate_has_its_seed():
    assert module.CLASSIFIER_SEED < 0


def test_damaged_files_are_named(directory, few_steps, phantom_data):
    train = load_split(phantom_data, "train")
    directory.validation.mkdir(parents=True)
    (directory.validation / "classifier.weights.h5").write_bytes(b"half")
    with pytest.raises(InputError, match=r"classifier\.weights\.h5 holds no weights"):
        ValidationFeatures("classifier").extractor(directory, train)
    (directory.validation / "features.json").write_text("{")
    with pytest.raises(InputError, match=r"features\.json cannot be read"):
        choose_features(directory, None, None)


def test_choosing_writes_nothing(directory, mobilenet):
    choose_features(directory, "mobilenet", mobilenet)
    choose_features(directory, None, None)
    assert not directory.path.exists()


def test_given_features_go_on_without_being_named_again(directory, mobilenet, train):
    first = choose_features(directory, "mobilenet", mobilenet)
    first.extractor(directory, train)
    again = choose_features(directory, None, None)
    assert (again.name, again.weights, again.sha256) == ("mobilenet", str(mobilenet), "a" * 64)
    record = json.loads((directory.validation / "features.json").read_text())
    assert record == {"features": "mobilenet", "weights": str(mobilenet), "sha256": "a" * 64}
    assert [path.name for path in directory.validation.iterdir()] == ["features.json"]


def test_moved_weights_may_be_named_anew(directory, mobilenet, train):
    choose_features(directory, "mobilenet", mobilenet).extractor(directory, train)
    moved = mobilenet.rename(mobilenet.with_name("moved.weights.h5"))
    assert choose_features(directory, "mobilenet", moved).sha256 == "a" * 64


def test_other_features_or_weights_are_refused(directory, mobilenet, train):
    choose_features(directory, "mobilenet", mobilenet).extractor(directory, train)
    with pytest.raises(InputError, match=r"validated by mobilenet, got classifier"):
        choose_features(directory, "classifier", None)
    mobilenet.write_text("b" * 64)
    with pytest.raises(InputError, match=r"validated by weights a+, got weights b+"):
        choose_features(directory, None, None)


@pytest.mark.parametrize(
    ("features", "weights", "message"),
    [
        ("vgg", None, r"'vgg'; there are classifier, mobilenet"),
        ("classifier", "file", "take no weights, got file"),
        (None, "file", "take no weights, got file"),
        ("mobilenet", None, "--weights"),
        ("mobilenet", "nowhere.h5", "nowhere.h5"),
    ],
)
def test_wrong_choices_are_refused(directory, features, weights, message):
    with pytest.raises(InputError, match=message):
        choose_features(directory, features, weights)
