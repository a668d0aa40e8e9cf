"""Good generators get good figures and bad ones bad ones; hostile input leaves nothing behind."""

from __future__ import annotations

import dataclasses
import shutil

import keras
import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation import EvaluationOptions, evaluate
from skin_synth.evaluation import evaluator as assessment
from skin_synth.evaluation.cache import default_cache
from skin_synth.evaluation.external import ExternalTest, LeftOut
from skin_synth.evaluation.utility import options as utility_options
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.saved_model.model_card import read_report
from tests.origins import make_origin
from tests.skin_synth.evaluation.conftest import OPTIONS, check_overwriting
from tfrecords_tools.errors import InputError


def test_the_same_evaluation_again_comes_from_the_cache(
    written, make_run, large_phantom_data, tmp_path
):
    def fail(label, seed):
        raise AssertionError("generated again")

    cache = default_cache(written.path)
    again = evaluate(make_run(fail), large_phantom_data, tmp_path / "again", OPTIONS, cache=cache)
    assert dict(again) == dict(written)
    assert not (tmp_path / "again.cache").exists()


def test_a_perfect_generator_has_no_fault(written):
    assert written["verdict"]["faults"] == []
    assert written["summary"][0].startswith("No fault is proven.")
    assert written["fidelity"]["seeds"] == 3
    assert written["fidelity"]["whole"]["frechet_over_seeds"]["count"] == 3


def test_a_fault_of_noise_is_named(written, make_run, large_phantom_data, tmp_path):
    def make_noise(label, seed):
        return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)

    # The cache knows synthetic images by their run, and all runs of these tests have one id.
    cache = tmp_path / "cache"
    cache.mkdir()
    for entry in default_cache(written.path).glob("classifier-*"):
        shutil.copy(entry, cache)
    options = dataclasses.replace(OPTIONS, seeds=1)
    run, out = make_run(make_noise), tmp_path / "out"
    found = evaluate(run, large_phantom_data, out, options, cache=cache)
    named = {fault.fault for fault in found.results.verdict.faults}
    assert named >= {"noise", "unlike_real"}
    assert "copies" not in named
    assert found.results.summary.headline.endswith("faults are proven.")
    whole, good = found.results.fidelity.whole, written.results.fidelity.whole
    assert whole.frechet > 20 * good.frechet
    assert whole.kernel > 20 * abs(good.kernel)
    assert whole.frechet_floor == good.frechet_floor
    assert whole.kernel_floor == good.kernel_floor
    assert whole.kernel_interval[0] > good.kernel_interval[1]
    assert whole.frechet_over_seeds.deviation is None


def test_use_is_measured_on_request(
    written, studied, make_run, large_phantom_data, tmp_path, monkeypatch
):
    requested = {}

    def study_run(run, data_dir, options, **others):
        requested.update(others, options=options)
        return studied

    monkeypatch.setattr(assessment.usefulness, "study_run", study_run)
    cache = default_cache(written.path)
    options = dataclasses.replace(
        OPTIONS, utility=True, utility_steps=70, classifiers=["small"], policy="mixed_bfloat16"
    )
    rows = load_split(large_phantom_data, "test").subset(np.arange(4))
    elsewhere = ExternalTest("elsewhere", ("test",), rows, {}, LeftOut({}, 0, 0, 0, False))
    found = evaluate(
        make_run(),
        large_phantom_data,
        tmp_path / "out",
        options,
        external=[elsewhere],
        cache=cache,
    )
    study_options = UtilityOptions(classifiers=("small",), steps=70, policy="mixed_bfloat16")
    assert requested == {
        "options": study_options,
        "cache_dir": cache / "utility",
        "external": {"elsewhere": rows},
    }
    notes = (*studied.warnings, *elsewhere.sentences())
    assert found.results.utility == dataclasses.replace(studied, warnings=notes)
    assert found["utility"]["verdict"] == dataclasses.asdict(studied.verdict)
    assert found["verdict"]["use"] == studied.verdict.words
    assert written["verdict"]["use"] == "not measured"
    assert found["summary"][1].lower().startswith(studied.verdict.words)
    assert (found.path / "utility.png").read_bytes()[1:4] == b"PNG"


def test_what_is_given_away_is_in_the_report_and_the_model_card(
    written, make_run, large_phantom_data, tmp_path
):
    cache = default_cache(written.path)
    options = dataclasses.replace(OPTIONS, privacy=True, privacy_images=100)
    run = make_run()
    found = evaluate(run, large_phantom_data, tmp_path / "out", options, cache=cache)
    assert found["privacy"]["images_per_class"] == 100
    assert found["privacy"]["features"]["weights"].startswith("trained on synthetic images")
    sentence = found.results.privacy.verdict.sentence
    assert found["summary"][-2] == sentence
    page = (found.path / "report.html").read_text("utf-8")
    assert page.count(sentence) == 2
    assert "pixels, calibrated" in page
    assert sentence in read_report(found.path, run.origin)
    assert "privacy" not in written
    assert "privacy" not in (written.path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "vgg"}, "unknown features 'vgg'; there are classifier, mobilenet, incept"),
        ({"features": "mobilenet", "weights": "none.h5"}, "no file at none.h5"),
        ({"features": "m.keras", "weights": "w.h5"}, "holds its own weights, got w.h5"),
        ({"features": "none.keras"}, "no file at none.keras"),
        ({"utility_seeds": 5}, "of the utility study: add --utility"),
        ({"utility_steps": 90}, "of the utility study: add --utility"),
        ({"classifiers": ("small",)}, "of the utility study: add --utility"),
        ({"utility": True, "utility_seeds": 1}, "needs two seeds or more"),
        ({"utility": True, "utility_steps": 9}, "steps must be 10 or more, got 9"),
        ({"utility": True, "classifiers": ("vgg",)}, "classifiers must be different ones of resn"),
        (
            {"utility": True, "classifiers": ("finetuned",), "weights": "none.h5"},
            "no file at none.h5",
        ),
        ({"privacy_images": 500}, "of the attacks: add --privacy"),
        ({"privacy": True, "privacy_images": 9}, "privacy_images must be 100 or more, got 9"),
        ({"seeds": 0}, "seeds must be 1 or more, got 0"),
        ({"seed": 2**62}, f"from 0 to 2\\*\\*62 - 1, got {2**62}"),
        ({"weights": "w.h5"}, "take no weights, got w.h5: drop --weights"),
    ],
)
def test_wrong_options_write_nothing(make_run, large_phantom_data, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(make_run(), large_phantom_data, tmp_path / "out", EvaluationOptions(**options))
    assert not list(tmp_path.iterdir())


def test_weights_of_a_classifier_are_not_those_of_the_features(tmp_path):
    weights = tmp_path / "w.weights.h5"
    keras.applications.MobileNet(alpha=0.75, input_shape=(224, 224, 3), weights=None).save_weights(
        weights
    )
    finetuned = {"utility": True, "classifiers": ("finetuned",), "weights": weights}
    assert EvaluationOptions(**finetuned).features_weights is None
    assert EvaluationOptions(features="mobilenet", **finetuned).features_weights is not None
    assert EvaluationOptions(**finetuned).of_utility().weights == weights


@pytest.mark.parametrize(
    ("features", "of_features", "of_classifier"),
    [
        ("classifier", None, "w.h5"),
        ("model.keras", None, "w.h5"),
        ("mobilenet", "w.h5", "w.h5"),
        ("inception", "w.h5", None),
    ],
)
def test_weights_go_to_the_networks_that_they_fit(
    features, of_features, of_classifier, monkeypatch
):
    """The classifier `finetuned` is a MobileNet, and downloads its weights if it gets none."""
    asked = []
    monkeypatch.setattr(utility_options, "make_classifier", lambda *given: asked.append(given))
    options = EvaluationOptions(features, "w.h5", utility=True, classifiers=("finetuned",))
    assert options.features_weights == of_features
    assert options.of_utility().weights == of_classifier
    assert {weights for _, weights in asked} == {of_classifier}


def test_another_data_set_is_refused(make_run, large_phantom_data, tmp_path):
    run = dataclasses.replace(make_run(), origin=make_origin(data_name="moles"))
    with pytest.raises(InputError, match=r"trained on data set 'moles' .*f{12}, .* is 'phantoms'"):
        evaluate(run, large_phantom_data, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_existing_report_is_left_alone(written, make_run, large_phantom_data):
    before = {path: path.stat().st_mtime_ns for path in written.path.iterdir()}
    with pytest.raises(InputError, match="overwrite"):
        evaluate(make_run(), large_phantom_data, written.path)
    assert before == {path: path.stat().st_mtime_ns for path in written.path.iterdir()}


def test_only_the_cache_is_left_of_an_evaluation_that_fails(make_run, large_phantom_data, tmp_path):
    def fail(label, seed):
        raise RuntimeError("no image")

    with pytest.raises(RuntimeError, match="no image"):
        evaluate(make_run(fail), large_phantom_data, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out.cache"]


def test_overwriting_spares_what_is_read_and_other_folders(make_run, large_phantom_data, tmp_path):
    def write(out, **options):
        evaluate(make_run(), large_phantom_data, out, **options)

    check_overwriting(write, large_phantom_data, tmp_path, r"report\.json")
