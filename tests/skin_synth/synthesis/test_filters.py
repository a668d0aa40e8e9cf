"""The limits, and what they let pass."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.metrics.nearest import nearest
from skin_synth.synthesis.filters import (
    KEPT,
    NEAR_TRAINING,
    OTHER_CLASS,
    UNREALISTIC,
    CandidateFilter,
    Scores,
    _distance_limits,
    _realism_limits,
    distinct,
)


def greedy(images, limit):
    """One after the other, against all that stay: the definition."""
    stays = []
    for row in range(len(images)):
        earlier = images[stays]
        if not stays or nearest(images[row : row + 1], earlier)[1][0] >= limit:
            stays.append(row)
    return stays


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40, 150])
def test_distinct_is_the_greedy_choice(count):
    rng = np.random.default_rng(count)
    parents = rng.integers(0, 256, (5 + count // 4, 16, 16, 3))
    noise = rng.integers(-20, 21, (count, 16, 16, 3))
    chosen = rng.integers(0, len(parents), count)
    images = np.clip(parents[chosen] + noise, 0, 255).astype(np.uint8)
    images[::3] = images[::3, ::-1]
    for limit in (0.0, 16.0, 17.0, 40.0, 300.0):
        assert np.flatnonzero(distinct(images, limit)).tolist() == greedy(images, limit)


def test_real_images_pass_at_the_rates_that_make_the_limits(candidate_filter, training, held_out):
    rates = candidate_filter.real["pass"]
    # Percentiles of few images lie between two of them.
    assert rates[NEAR_TRAINING] >= 0.99 - 1 / len(held_out)
    assert 1 > rates[UNREALISTIC] >= 0.95 - 1 / len(held_out)
    scores = candidate_filter.scores(held_out.images, held_out.labels, training.images)
    reasons = candidate_filter.reasons(scores, held_out.labels)
    right = scores.assigned == held_out.labels
    assert rates[OTHER_CLASS] == right.mean()
    assert candidate_filter.real["right_by_class"] == {
        name: right[held_out.labels == label].mean()
        for label, name in enumerate(held_out.class_names)
    }
    assert reasons.count(OTHER_CLASS) <= (1 - rates[OTHER_CLASS]) * len(held_out) + 1e-9
    assert reasons.count(KEPT) > 0.4 * len(held_out)


def test_training_images_are_near_themselves(candidate_filter, training):
    scores = candidate_filter.scores(training.images[:9], training.labels[:9], training.images)
    np.testing.assert_array_equal(scores.nearest, np.arange(9))
    assert set(candidate_filter.reasons(scores, training.labels[:9])) == {NEAR_TRAINING}


def test_the_first_reason_counts(candidate_filter):
    far, deep = candidate_filter.distance[0] + 1, candidate_filter.realism[0] + 1
    scores = Scores(
        assigned=np.array([0, 1, 0, 1, 0]),
        probability=np.ones(5),
        nearest=np.zeros(5, int),
        distance=np.array([0.0, far, far, 0.0, far]),
        realism=np.array([0.0, 0.0, 0.0, deep, deep]),
    )
    expected = [NEAR_TRAINING, OTHER_CLASS, UNREALISTIC, NEAR_TRAINING, KEPT]
    assert candidate_filter.reasons(scores, np.zeros(5, int)) == expected


def test_a_filter_that_was_saved_measures_the_same(candidate_filter, held_out, training, tmp_path):
    candidate_filter.save(tmp_path / "filter.npz")
    again = CandidateFilter.load(tmp_path / "filter.npz")
    for name in ("distance", "realism", "real"):
        assert getattr(again, name) == getattr(candidate_filter, name)
    assert again.classifier.weights_hash == candidate_filter.classifier.weights_hash
    arguments = (held_out.images[:8], held_out.labels[:8], training.images)
    before, after = candidate_filter.scores(*arguments), again.scores(*arguments)
    for name in ("probability", "realism"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def plain_and_varied(name, plain, varied, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [plain, varied])
    spread = np.where(labels == 0, 2, 50)[:, None, None, None]
    images = np.clip(128 + spread * rng.normal(size=(len(labels), 8, 8, 3)), 0, 255)
    rows = tuple(f"{name}{row}" for row in range(len(labels)))
    return LabelledImages(images.astype(np.uint8), labels, rows, rows, ("plain", "varied"))


@pytest.mark.parametrize("held", [0, 5, 120])
def test_each_class_has_its_own_limit_of_distance(held):
    training, held_out = (plain_and_varied("t", 30, 60, 1), plain_and_varied("v", held, 120, 2))
    distance = nearest(held_out.images, training.images)[1]
    rng = np.random.default_rng(0)
    plain, varied = _distance_limits(training, held_out.labels, distance, rng)
    assert plain < 4 < varied
    fresh = plain_and_varied("f", 60, 0, 3).images
    assert np.mean(nearest(fresh, training.images)[1] >= plain) > 0.7


def test_photographs_of_one_lesion_do_not_lower_the_limit():
    training = plain_and_varied("t", 5, 40, 1)
    twice = training.subset(np.tile(np.arange(45), 2))
    none = np.zeros(0, np.int64), np.zeros(0)
    limits = [
        _distance_limits(each, *none, np.random.default_rng(0))[1] for each in (training, twice)
    ]
    assert limits[0] == pytest.approx(limits[1])


def test_each_class_has_its_own_limit_of_realism():
    labels = np.repeat([0, 1, 2], [40, 40, 5])
    realism = np.concatenate([np.linspace(0.5, 0.6, 40), np.linspace(1, 2, 40), np.full(5, 1.5)])
    low, high, few = _realism_limits(4, labels, realism)[:3]
    assert (low, high) == (pytest.approx(0.505), pytest.approx(1.05))
    assert few == pytest.approx(np.percentile(realism, 5))
