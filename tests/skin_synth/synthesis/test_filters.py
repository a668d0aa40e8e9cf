"""The limits, and what they let pass."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics.nearest import nearest
from skin_synth.synthesis.filters import (
    KEPT,
    NEAR_TRAINING,
    OTHER_CLASS,
    UNREALISTIC,
    CandidateFilter,
    Scores,
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
    assert 1 > rates[NEAR_TRAINING] >= 0.99 - 1 / len(held_out)
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
