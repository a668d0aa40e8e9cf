"""The compared images: counts, groups, and images that depend only on the seed."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation import look_alikes
from skin_synth.evaluation.image_sets import FEWEST_SYNTHETIC, choose_real_baseline, load_image_sets
from tests.skin_synth.rewriting import with_synthetic


def split(name, labels, groups):
    labels = np.array(labels)
    images = np.zeros((len(labels), 2, 2, 3), np.uint8)
    ids = tuple(f"{name}{row}" for row in range(len(labels)))
    return LabelledImages(images, labels, ids, tuple(groups), ("a", "b"))


TEST = split("test", [0, 0, 1], ["t0", "t1", "t2"])


def test_counts_and_labels(make_run, large_phantom_data):
    found = load_image_sets(make_run(), large_phantom_data, seed=3)
    test = load_split(large_phantom_data, "test")
    synthetic = np.bincount(found.requested_labels)
    np.testing.assert_array_equal(synthetic, np.maximum(test.class_counts, FEWEST_SYNTHETIC))
    assert len(found.synthetic) == len(found.requested_labels)
    matched = found.requested_labels[found.matched()]
    np.testing.assert_array_equal(np.bincount(matched, minlength=7), test.class_counts)
    assert not set(found.real_baseline.groups) & set(test.groups)


def test_images_depend_on_the_seed_and_on_nothing_else(make_run, large_phantom_data):
    def seeds_of(seed):
        drawn = []

        class Recorder:
            def generate(self, label_ids, seeds, *, truncation):
                drawn.extend(seeds)
                return np.zeros((len(seeds), 32, 32, 3), np.uint8)

        found = load_image_sets(Recorder(), large_phantom_data, seed=seed)
        return drawn, found.real_baseline.image_ids

    (seeds, baseline), other = seeds_of(0), seeds_of(1)
    assert seeds_of(0) == (seeds, baseline)
    assert seeds != other[0]
    assert baseline != other[1]
    assert len(set(seeds)) == len(seeds)


def test_the_real_baseline_takes_held_out_images_first():
    train, held_out = split("train", [0, 0, 0, 1, 1], "ghijk"), split("held", [0], "v")
    baseline, from_held_out = choose_real_baseline(train, held_out, TEST, np.random.default_rng(0))
    assert (baseline.image_ids[0], from_held_out) == ("held0", 1)
    np.testing.assert_array_equal(baseline.class_counts, TEST.class_counts)


def test_the_real_baseline_avoids_groups_of_the_reference():
    train = split("train", [0, 0, 0, 1], ["t0", "t0", "g0", "t1"])
    baseline, from_held_out = choose_real_baseline(train, None, TEST, np.random.default_rng(0))
    assert (baseline.image_ids, from_held_out) == (("train2",), 0)
    np.testing.assert_array_equal(baseline.class_counts, [1, 0])


@pytest.mark.parametrize("seed", range(3))
def test_the_real_baseline_is_drawn_anew_for_each_seed(seed):
    train = split("train", [0] * 40 + [1], [f"g{row}" for row in range(41)])
    drawn = {
        choose_real_baseline(train, None, TEST, np.random.default_rng([seed, other]))[0].image_ids
        for other in range(4)
    }
    assert len(drawn) > 1


def test_a_data_set_without_validation(make_run, large_phantom_data, monkeypatch):
    info = look_alikes.read_info(large_phantom_data)
    del info.splits["validation"]
    monkeypatch.setattr(look_alikes, "read_info", lambda directory: info)
    found = load_image_sets(make_run(), large_phantom_data, seed=0)
    assert found.real_baseline_held_out == 0
    assert set(found.real_baseline.image_ids) <= set(found.train.image_ids)


def test_synthetic_records_are_left_out(make_run, large_phantom_data, tmp_path, caplog):
    caplog.set_level("INFO", "skin_synth")
    counts = {"train": 9, "validation": 2, "test": 3}
    data = with_synthetic(large_phantom_data, tmp_path / "data", counts)
    found = load_image_sets(make_run(), data, seed=3)
    for split, images in (("train", found.train), ("test", found.test)):
        whole = load_split(large_phantom_data, split)
        assert set(images.image_ids) <= set(whole.image_ids[counts[split] :])
        assert images.num_synthetic == 0
    assert found.train.left_out + found.test.left_out == 12
    assert "3 of" in caplog.text
    assert "test images are synthetic: they are left out" in caplog.text
    whole = load_split(large_phantom_data, "validation")
    assert set(found.validation.image_ids) <= set(whole.image_ids[2:])
