"""The utility study tells the truth: a gain where there is one, none where there is none."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility.arms import CONTROLS
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from skin_synth.evaluation.utility.study import check_request, default_steps, study, utility
from skin_synth.phantoms import render
from tfrecords_tools.errors import InputError

SIZE = 16
NOISE = 70.0
"""Grey levels of noise on all images: without it the phantoms are told apart too easily."""
NAMES = ("disc", "blotch", "ring", "cluster")
OPTIONS = {"seeds": 4, "ratios": (4.0,), "steps": 60, "pool": 200, "replicates": 200}


def phantoms(labels, seed):
    """Noisy phantoms, each of a lesion of its own."""
    rng = np.random.default_rng(seed)
    images = np.stack(
        [render(seed, index, NAMES[label], SIZE)[0] for index, label in enumerate(labels)]
    )
    return np.clip(images + rng.normal(0, NOISE, images.shape), 0, 255).astype(np.uint8)


def split(counts, seed):
    labels = np.repeat(np.arange(4), counts)
    groups = tuple(f"{seed}-{index}" for index in range(len(labels)))
    return LabelledImages(phantoms(labels, seed), labels, groups, groups, NAMES)


@pytest.fixture(scope="module")
def splits():
    return split((100, 20, 20, 20), 1), split((20,) * 4, 2), split((80,) * 4, 3)


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("utility")


def fresh(labels, seeds):
    return phantoms(labels, int(seeds[0] % 2**31))


def noise(labels, seeds):
    shape = (len(labels), SIZE, SIZE, 3)
    return np.random.default_rng(seeds[0]).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def of_fresh(splits, cache_dir):
    return utility(*splits, fresh, paint_id="fresh", cache_dir=cache_dir, **OPTIONS)


def test_fresh_phantoms_show_a_gain(of_fresh):
    (mixed,) = (entry for entry in of_fresh["differences"] if entry["ratio"] == 4.0)
    assert of_fresh["verdict"]["words"] == mixed["verdict"] == GAIN
    assert mixed["metrics"]["macro_auroc"]["corrected_low"] > 0
    assert all(entry["corrected_low"] > 0 for entry in mixed["against_every_control"].values())
    assert of_fresh["verdict"]["sentence"].startswith("gain shown: real + synthetic 1:4 (cnn)")


def test_noise_shows_no_gain(splits, cache_dir, of_fresh):
    before = set(cache_dir.iterdir())
    found = utility(*splits, noise, paint_id="noise", cache_dir=cache_dir, **OPTIONS)
    assert found["verdict"]["words"] in {NEITHER, HARM}
    only = next(entry for entry in found["differences"] if entry["arm"] == "synthetic only")
    assert only["metrics"]["macro_auroc"]["high"] < -0.1
    assert only["verdict"] is None
    # The controls know nothing of the painter: they came from the cache.
    assert found["arms"][:3] == of_fresh["arms"][:3]
    assert len(set(cache_dir.iterdir()) - before) == 4 * 2


def test_copies_of_training_images_show_no_gain(splits, cache_dir, of_fresh):
    train = splits[0]

    def copies(labels, seeds):
        members = [np.flatnonzero(train.labels == label) for label in range(4)]
        rows = [
            members[label][seed % len(members[label])]
            for label, seed in zip(labels, seeds, strict=True)
        ]
        return train.images[rows]

    found = utility(*splits, copies, paint_id="copies", cache_dir=cache_dir, **OPTIONS)
    assert found["verdict"]["words"] in {NEITHER, HARM}
    assert found["best_control"] == of_fresh["best_control"]


def test_the_results_are_plain_and_complete(of_fresh, splits):
    assert json.loads(json.dumps(of_fresh, allow_nan=False)) == of_fresh
    assert set(of_fresh) == {
        *("schema_version", "protocol", "images", "arms", "best_control", "differences"),
        *("verdict", "warnings"),
    }
    assert [entry["arm"] for entry in of_fresh["arms"]] == [
        *(arm.name for arm in CONTROLS),
        "real + synthetic 1:4",
        "synthetic only",
    ]
    for entry in of_fresh["arms"]:
        figures = entry["figures"]
        assert len(figures["macro_auroc"]["seeds"]) == 4
        assert figures["sensitivity"].keys() == set(NAMES)
        assert 0 <= figures["calibration_error"]["mean"] <= 1
    assert of_fresh["images"]["train"] == [100, 20, 20, 20]
    assert of_fresh["images"]["test_groups"] == [80, 80, 80, 80]
    assert of_fresh["protocol"]["correction"].startswith("Bonferroni, 1 comparisons")
    assert of_fresh["warnings"] == ["4 seeds were trained; 5 or more are usual"]


def test_a_killed_study_goes_on(splits, tmp_path):
    """What was done is not done again, and the end is the same as without the kill."""
    tiny = {**OPTIONS, "seeds": 2, "steps": 2, "pool": 4, "cache_dir": tmp_path / "cache"}
    calls = []

    def killed(labels, seeds):
        calls.append(seeds[0])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return noise(labels, seeds)

    with pytest.raises(KeyboardInterrupt):
        utility(*splits, killed, paint_id="p", **tiny)
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert len(stored) == 5 + 3  # all of the first seed, the controls of the second
    found = utility(*splits, killed, paint_id="p", **tiny)
    assert len(calls) == 3
    assert calls[1] == calls[2] != calls[0]
    assert all(path.stat().st_mtime_ns == time for path, time in stored.items())
    assert found == utility(*splits, noise, paint_id="p", **{**tiny, "cache_dir": None})


def colour_means(images):
    """Sixteen features: the mean of each colour in each quarter, and its spread over the image."""
    quarters = images.reshape(len(images), 2, SIZE // 2, 2, SIZE // 2, 3).mean(axis=(2, 4))
    return np.concatenate(
        [quarters.reshape(len(images), 12), images.std(axis=(1, 2)), np.ones((len(images), 1))],
        axis=1,
    ).astype(np.float32)


def test_a_frozen_extractor_is_a_second_classifier(splits, tmp_path):
    extracted = []

    def function(images):
        extracted.append(len(images))
        return colour_means(images)

    extractor = Extractor("means", "FD (means)", 16, {"sha256": "m"}, function)
    options = {**OPTIONS, "seeds": 2, "steps": 2, "pool": 4, "ratios": (0.5, 1.0)}
    arguments = {"paint_id": "n", "extractor": extractor, "cache_dir": tmp_path, **options}
    found = utility(*splits, noise, **arguments)
    classifiers = {entry["classifier"] for entry in found["arms"]}
    assert classifiers == {"cnn", "linear head on means"} == set(found["best_control"])
    assert found["verdict"]["comparisons"] == 4
    assert [c["name"] for c in found["protocol"]["classifiers"]] == ["cnn", "linear head on means"]
    # Four views of 160 training images; one of all others, 16 painted ones a seed among them:
    # else copies of training images would bring augmentation that the control does not have.
    assert sum(extracted) == 4 * 160 + 80 + 320 + 2 * 16
    extracted.clear()
    assert utility(*splits, noise, **arguments) == found
    assert not extracted


def test_test_images_of_known_lesions_are_left_out_and_told_of(splits):
    train, validation, test = splits
    groups = (train.groups[0], validation.groups[0], *test.groups[2:])
    leaky = dataclasses.replace(test, groups=groups)
    options = {**OPTIONS, "seeds": 2, "steps": 1, "pool": 2}
    found = utility(train, validation, leaky, noise, paint_id="n", **options)
    assert found["images"]["left_out_of_test"] == 2
    assert found["images"]["test"] == [78, 80, 80, 80]
    assert found["warnings"][0].startswith("2 test images show lesions that are in the training")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seeds": 1}, "needs two seeds or more to tell a gain from luck, got 1"),
        ({"steps": 0}, "steps must be 1 or more, got 0"),
        ({"pool": 0}, "pool must be 1 or more, got 0"),
        ({"replicates": 10}, "replicates must be 100 or more, got 10"),
        ({"ratios": (0.0,)}, "ratios must be numbers above 0"),
    ],
)
def test_options_out_of_range_are_refused(splits, changed, message):
    with pytest.raises(InputError, match=message):
        utility(*splits, noise, paint_id="n", **{**OPTIONS, **changed})


def test_splits_that_do_not_fit_are_refused(splits):
    train, validation, test = splits
    renamed = dataclasses.replace(test, class_names=("a", "b", "c", "d"))
    with pytest.raises(InputError, match=r"test has classes \('a', 'b', 'c', 'd'\), train has"):
        utility(train, validation, renamed, noise, paint_id="n", **OPTIONS)
    small = dataclasses.replace(validation, images=validation.images[:, :8, :8])
    with pytest.raises(InputError, match=r"images of validation are \[8, 8, 3\]"):
        utility(train, small, test, noise, paint_id="n", **OPTIONS)
    poor = dataclasses.replace(train, labels=np.minimum(train.labels, 2))
    with pytest.raises(InputError, match="train has no images of cluster in groups of its own"):
        utility(poor, validation, test, noise, paint_id="n", **OPTIONS)
    known = dataclasses.replace(test, groups=train.groups[:1] * len(test))
    with pytest.raises(InputError, match="test has no images of disc, blotch, ring, cluster in"):
        utility(train, validation, known, noise, paint_id="n", **OPTIONS)


def test_one_test_lesion_of_a_class_is_warned_of(splits):
    train, validation, test = splits
    few = np.append(np.flatnonzero(test.labels < 3), len(test) - 1)
    one = dataclasses.replace(
        test,
        images=test.images[few],
        labels=test.labels[few],
        image_ids=tuple(test.image_ids[row] for row in few),
        groups=tuple(test.groups[row] for row in few),
    )
    options = {**OPTIONS, "seeds": 2, "steps": 1, "pool": 2}
    found = utility(train, validation, one, noise, paint_id="n", **options)
    assert any(text.startswith("one test lesion of cluster: ") for text in found["warnings"])


def test_a_class_without_validation_images_is_refused_before_anything_is_computed(
    phantom_data, monkeypatch
):
    from skin_synth.data.pipeline import load_split

    def poor(data_dir, name):
        split = load_split(data_dir, name)
        labels = np.zeros_like(split.labels) if name == "validation" else split.labels
        return dataclasses.replace(split, labels=labels)

    monkeypatch.setattr("skin_synth.evaluation.utility.study.load_split", poor)
    with pytest.raises(InputError, match="validation has no images of"):
        check_request(phantom_data, seeds=2, ratios=(1.0,))


def test_painted_images_that_do_not_fit_are_refused(splits):
    def wrong(labels, seeds):
        return noise(labels, seeds)[:, :8]

    with pytest.raises(InputError, match=r"paint must give uint8\[800, 16, 16, 3\].*\[800, 8,"):
        utility(*splits, wrong, paint_id="w", **{**OPTIONS, "steps": 1})


@pytest.mark.parametrize(("images", "steps"), [(10, 300), (6400, 1500), (10**6, 2000)])
def test_steps_follow_the_size_of_the_data(images, steps):
    assert default_steps(images) == steps


def test_a_run_is_studied_on_its_own_data_set(tiny_run, phantom_data, large_phantom_data):
    with pytest.raises(InputError, match="give the data set that it was trained on"):
        study(tiny_run, large_phantom_data)
    with pytest.raises(InputError, match="unknown features 'vgg'"):
        study(tiny_run, phantom_data, features="vgg")
    with pytest.raises(InputError, match="MobileNet need a weights file"):
        study(tiny_run, phantom_data, features="mobilenet")


def test_a_run_is_studied_on_the_splits_of_its_data_set(tiny_run, phantom_data, tmp_path):
    options = {"seeds": 2, "ratios": (1.0,), "features": None, "steps": 1, "pool": 2}
    found = study(tiny_run, phantom_data, cache_dir=tmp_path, **options)
    assert found["images"]["class_names"] == list(tiny_run.class_names)
    assert found["images"]["left_out_of_test"] == 0
    assert len(found["arms"]) == 5
    assert len(list(tmp_path.iterdir())) == 10
