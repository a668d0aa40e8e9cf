"""One comparison measures the right images against each other, from the cache."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.metrics.faithfulness import judge_classes
from skin_synth.evaluation.metrics.nearest import PIXEL_METRIC, nearest
from tests.changes import changed, put
from tests.skin_synth.evaluation.conftest import MODES, TRIED, lesions, trial_labels


@pytest.fixture(scope="module")
def images():
    return lesions(300, trial_labels())


def photographed(split, times):
    """The same lesions, each with this many photographs."""
    return split.subset(np.tile(np.arange(len(split)), times))


def test_features_and_neighbours_come_from_the_cache(trial, images, tmp_path):
    first = trial.measurements(images, cache=Cache(tmp_path))
    expected = first.copies, first.fidelity

    def fail(images):
        raise AssertionError("computed anew")

    measured = trial.measurements(images, cache=Cache(tmp_path))
    silent = changed(measured, "extractor", function=fail)
    silent.__dict__["_gallery"] = None  # a search would fail
    assert (silent.copies, silent.fidelity) == expected


def test_another_extractor_does_not_get_the_features_of_this_one(trial, images, tmp_path):
    measured = trial.measurements(images, cache=Cache(tmp_path))
    other = changed(
        put(measured, "extractor.provenance.sha256", "0" * 64),
        "extractor",
        function=lambda batch: np.zeros((len(batch), measured.extractor.dimension), np.float32),
    )
    assert measured.features(images).any()
    assert not other.features(images).any()


def test_swapped_labels_show_in_faithfulness(trial, images):
    good = judge_classes(trial.judge, trial.image_sets(images))
    assert good.synthetic.mean > 0.9
    swapped = np.array([1, 0, 2])[trial_labels()]
    bad = judge_classes(trial.judge, trial.image_sets(images, requested_labels=swapped))
    first, second, third = bad.synthetic.classes.values()
    assert max(first, second) < 0.2
    assert third > 0.7
    matrix = np.array(bad.synthetic.confusion)
    assert matrix.sum() == bad.synthetic.n == len(images)
    low, high = bad.synthetic.intervals["ring"]
    assert low < third <= high


def test_few_held_out_images_are_backed_by_training_images(trial, images):
    found = trial.measurements(images).copies
    assert found.pixels.whole.yardstick == "held-out images"
    assert found.pixels.whole.absolute.n_yardstick == 3 * TRIED
    assert found.pixels.classes["ring"].absolute.n_yardstick == TRIED
    assert found.pixels.metric == PIXEL_METRIC
    fewer = trial.measurements(images, test=trial.test.subset(slice(None, None, 2))).copies
    for search in (fewer.pixels, fewer.features):
        part = search.classes["ring"]
        assert part.yardstick == "training images of other groups"
        assert part.absolute.n_yardstick == TRIED


def test_a_training_image_is_not_compared_with_its_own_group(trial, images):
    train, few = photographed(trial.train, 2), trial.test.subset(slice(None, None, 4))
    found = trial.measurements(images, train=train, test=few).copies
    assert found.pixels.whole.absolute.threshold > 1
    assert found.features.whole.absolute.threshold > 0


def test_nearest_pairs_are_those_of_the_search(trial, images):
    measured = trial.measurements(images)
    index, distance = nearest(images, trial.train.images)
    np.testing.assert_array_equal(measured.nearest.index[:, 0], index)
    np.testing.assert_allclose(measured.nearest.distance[:, 0], distance)


def test_realism_is_judged_within_the_class(trial, images):
    measured, ring = trial.measurements(images), trial_labels() == 2
    found = measured.realism()
    expected = manifold.realism(measured.real.of(2), measured.synthetic.features[ring])
    np.testing.assert_allclose(found[ring], expected)
    assert found[~ring].all()


def test_the_tests_name_all_classes_and_follow_the_seed(trial, images):
    first, again = (trial.measurements(images, seed=3).figures() for _ in range(2))
    assert first == again
    for part in (first.variety, first.profiles, first.difference, first.texture):
        assert list(part.classes) == list(MODES)


def test_only_held_out_images_of_the_real_baseline_judge_variety(trial, images):
    """The extractor has been fitted to the others."""
    measured = trial.measurements(images, real_baseline=trial.train)
    assert measured.variety.whole is None
    assert measured.profiles.whole is not None


def test_tests_count_lesions_not_photographs(trial, images, tmp_path):
    """Three photographs of each lesion prove no more than one; taken for three, they would."""
    once = trial.measurements(images, cache=Cache(tmp_path))
    splits = {"test": photographed(trial.test, 3), "train": photographed(trial.train, 3)}
    often = trial.measurements(images, cache=Cache(tmp_path), **splits)
    assert often.difference == once.difference
    assert often.texture == once.texture
    ours, theirs = (measured.faithfulness.real for measured in (once, often))
    assert theirs.confusion_of_lesions == ours.confusion == ours.confusion_of_lesions
    assert (np.array(theirs.confusion) == 3 * np.array(ours.confusion)).all()
    assert often.copies.duplicates == once.copies.duplicates
    for space in ("pixels", "features"):
        ours, theirs = (getattr(found.copies, space).whole for found in (once, often))
        assert theirs.absolute.n_yardstick == ours.absolute.n_yardstick
        assert theirs.both == ours.both
