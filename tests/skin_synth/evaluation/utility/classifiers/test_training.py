"""A training is a pure function of its pools and seed, and can be cut anywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from skin_synth.evaluation.utility.classifiers import training
from skin_synth.evaluation.utility.classifiers.networks import make_classifier
from skin_synth.evaluation.utility.classifiers.training import Method, Pool, State, Trainer

SIDE = 16
PLAIN = Method()


@pytest.fixture(scope="module")
def trainer():
    return Trainer(make_classifier("small"), SIDE, 2, batch_size=16, policy="float32")


def grey_pool(shares=(0.5, 0.5)):
    """Dark images of class 0 and bright ones of class 1, ten of each."""
    labels = np.repeat([0, 1], 10)
    grey = (
        np.random.default_rng(0).integers(0, 60, (20, 1, 1, 1)) + 120 * labels[:, None, None, None]
    )
    images = np.broadcast_to(grey, (20, SIDE, SIDE, 3)).astype(np.uint8)
    return Pool(images, np.eye(2, dtype=np.float32)[labels], np.repeat(shares, 10) / 10)


def trained(trainer, *, method=PLAIN, seed=1, cuts=(0, 40), pool=None):
    state, losses = trainer.fresh(seed), []
    for start, stop in itertools.pairwise(cuts):
        state, found = trainer.train(
            state, pool or grey_pool(), method, seed=seed, steps=range(start, stop), total=40
        )
        losses.extend(found)
    return state, np.array(losses)


def test_a_network_learns_and_predicts_log_probabilities(trainer):
    state, losses = trained(trainer)
    assert losses[-5:].mean() < losses[:5].mean() / 2
    pool = grey_pool()
    found = trainer.log_probabilities(state, pool.images)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), pool.targets.argmax(axis=1))


def test_a_training_that_is_cut_goes_on_to_the_same_weights(trainer):
    whole, losses = trained(trainer)
    cut, found = trained(trainer, cuts=(0, 7, 8, 40))
    np.testing.assert_array_equal(losses, found)
    for a, b in zip(whole.weights + whole.optimizer, cut.weights + cut.optimizer, strict=True):
        np.testing.assert_array_equal(a, b)
    revived = State.from_arrays(cut.to_arrays())
    for a, b in zip(cut.weights + cut.optimizer, revived.weights + revived.optimizer, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"method": Method(augmented=False)},
        {"method": Method(mixup=True)},
        {"method": Method(logit_adjusted=True), "pool": grey_pool((0.9, 0.1))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_choice_changes_the_training(trainer, change):
    plain = {"pool": change["pool"]} if "pool" in change else {}
    assert (trained(trainer, **change)[1] != trained(trainer, **plain)[1]).any()


def test_nothing_is_traced_twice(trainer):
    trained(trainer)
    traces = trainer._loop.experimental_get_tracing_count()
    trained(trainer, method=Method(mixup=True, augmented=False), seed=9)
    assert trainer._loop.experimental_get_tracing_count() == traces


def test_images_are_drawn_by_their_shares(trainer, monkeypatch):
    """A pool whose images are numbered shows what the step gets."""
    seen = []

    def step(signal, *_):
        numbers = tf.round((signal[:, 0, 0, 0] + 1.0) * 127.5)
        tf.py_function(lambda rows: seen.append(rows.numpy()), [numbers], [])
        return tf.constant(0.0)

    counted = Trainer(make_classifier("small"), SIDE, 2, batch_size=16, policy="float32")
    monkeypatch.setattr(counted, "_step", step)
    images = (
        np.zeros((4, SIDE, SIDE, 3), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None]
    )
    pool = Pool(images, np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], np.array([0.5, 0.0, 0.2, 0.3]))
    counted.train(counted.fresh(0), pool, Method(), seed=3, steps=range(400), total=400)
    counts = np.bincount(np.concatenate(seen).astype(int), minlength=4)
    assert counts.sum() == 6400
    np.testing.assert_allclose(counts / 6400, pool.shares, atol=0.02)
    assert counts[1] == 0


def test_a_logit_adjusted_network_predicts_for_equal_shares(trainer):
    """Both classes look alike: a plain network says their shares, an adjusted one says a half."""
    images = np.full((20, SIDE, SIDE, 3), 99, np.uint8)
    pool = Pool(images, grey_pool().targets, grey_pool((0.9, 0.1)).shares)
    found = [
        np.exp(
            trainer.log_probabilities(
                trained(trainer, method=Method(False, logit_adjusted=adjusted), pool=pool)[0],
                images[:1],
            )
        )[0, 1]
        for adjusted in (False, True)
    ]
    assert found[0] < 0.25
    assert 0.35 < found[1] < 0.65


def test_mixup_shares_follow_the_beta_distribution():
    draw = tf.function(training._mixup_share)
    found = [float(draw(tf.constant([seed, 0], tf.int64))) for seed in range(600)]
    assert stats.kstest(found, stats.beta(0.2, 0.2).cdf).pvalue > 0.01


def test_the_learning_rate_rises_and_falls_to_zero():
    rates = [float(training._rate(tf.constant(done))) for done in (0.0, 0.025, 0.05, 0.5, 1.0)]
    assert rates[0] == 0
    assert rates[1] == pytest.approx(0.5, abs=0.01)
    assert max(rates) == rates[2]
    assert rates[3] == pytest.approx(0.5)
    assert rates[4] == pytest.approx(0, abs=1e-6)
