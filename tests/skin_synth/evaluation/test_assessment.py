"""Good generators get good figures and bad ones bad ones; hostile input leaves nothing behind."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation import evaluate, features
from skin_synth.evaluation.assessment import compare_features, find_copies, judge_classes
from skin_synth.evaluation.material import gather
from tfrecords_tools.errors import InputError


def paint(make_run, data, painter, *, seed=0):
    return gather(make_run(painter), data, seed=seed)


def test_a_good_generator_is_near_the_floor_and_noise_is_far(
    phantoms, trained, make_run, large_phantom_data
):
    extractor = features.of_classifier(trained)
    good = compare_features(extractor, phantoms)
    bad = compare_features(extractor, paint(make_run, large_phantom_data, make_noise))
    for name in ("frechet", "kernel"):
        assert bad["whole"][name] > 20 * abs(good["whole"][name])
        assert bad["whole"][f"{name}_floor"] == good["whole"][f"{name}_floor"]
        for label in good["classes"]:
            assert bad["classes"][label][name] > good["classes"][label][name]
    assert good["whole"]["frechet"] < 2 * good["whole"]["frechet_floor"]
    assert good["frechet_name"] == "FD (classifier)"
    assert good["kernel_name"] == "KID (classifier)"


def make_noise(label, seed):
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)


def test_a_distance_needs_two_images_of_a_class(phantoms, trained):
    keep = np.flatnonzero(phantoms.test.labels != 2)
    test = dataclasses.replace(
        phantoms.test,
        images=phantoms.test.images[keep],
        labels=phantoms.test.labels[keep],
    )
    found = compare_features(
        features.of_classifier(trained), dataclasses.replace(phantoms, test=test)
    )
    lacking = found["classes"][phantoms.test.class_names[2]]
    assert lacking["n"] == 0
    assert lacking["frechet"] is None is lacking["kernel"]
    assert found["whole"]["frechet"] is not None


def test_swapped_labels_show_in_faithfulness(phantoms, trained):
    good = judge_classes(trained, phantoms)
    assert good["synthetic"]["mean"] > 0.9
    assert good["real"]["mean"] > 0.9
    swapped = np.where(phantoms.asked < 2, 1 - phantoms.asked, phantoms.asked)
    bad = judge_classes(trained, dataclasses.replace(phantoms, asked=swapped))
    first, second, *others = bad["synthetic"]["classes"].values()
    assert max(first, second) < 0.2
    assert min(others) > 0.7
    matrix = np.array(bad["synthetic"]["confusion"])
    assert matrix.sum() == bad["synthetic"]["n"] == len(phantoms.asked)
    assert matrix[0, 1] > matrix[0, 0]


def test_copies_of_training_images_are_found(phantoms):
    figures, (index, distance) = find_copies(phantoms)
    assert figures["share_below"] < 0.2
    assert figures["synthetic_median"] == pytest.approx(figures["held_out_median"], rel=0.2)
    turned = phantoms.train.images[: len(phantoms.asked), ::-1].swapaxes(1, 2)
    copied, (index, distance) = find_copies(dataclasses.replace(phantoms, synthetic=turned))
    assert copied["share_below"] == 1
    assert copied["synthetic_minimum"] == 0
    np.testing.assert_array_equal(index, np.arange(len(turned)))
    np.testing.assert_allclose(distance, 0, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "vgg"}, "unknown features 'vgg'; there are classifier, mobilenet, inception"),
        ({"features": "mobilenet"}, "give --weights FILE"),
        ({"weights": "w.h5"}, "take no weights, got w.h5: drop --weights"),
    ],
)
def test_wrong_options_write_nothing(make_run, large_phantom_data, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(make_run(), large_phantom_data, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_another_data_set_is_refused(make_run, large_phantom_data, tmp_path):
    run = dataclasses.replace(make_run(), data_fingerprint="f" * 64, data_name="moles")
    with pytest.raises(InputError, match=r"trained on data set 'moles' .*f{12}, .* is 'phantoms'"):
        evaluate(run, large_phantom_data, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_existing_report_is_left_alone(written, make_run, large_phantom_data):
    before = {path: path.stat().st_mtime_ns for path in written.path.iterdir()}
    with pytest.raises(InputError, match="overwrite"):
        evaluate(make_run(), large_phantom_data, written.path)
    assert before == {path: path.stat().st_mtime_ns for path in written.path.iterdir()}


def test_nothing_is_left_of_an_evaluation_that_fails(make_run, large_phantom_data, tmp_path):
    def fail(label, seed):
        raise RuntimeError("no image")

    with pytest.raises(RuntimeError, match="no image"):
        evaluate(make_run(fail), large_phantom_data, tmp_path / "out")
    assert not list(tmp_path.iterdir())
