"""What replicas share: rows, means with their gradients, copies, and whether all is finite."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models import replicas
from tests.skin_synth.training.two_devices import run_with_devices

TWO = """
from skin_synth.models import replicas
strategy = distribution.make_strategy(2)
x = tf.constant(rng.normal(size=(8, 3)), tf.float32)
bad = tf.constant([1.0, 1.0, 1.0, np.inf])
with strategy.scope():
    factor, copy = tf.Variable(tf.fill([3], 2.0)), tf.Variable(tf.zeros([3]))

@tf.function
def step():
    def on_each():
        rows = replicas.own_rows(x)
        with tf.GradientTape() as tape:
            scaled = rows * factor
            mean, _ = replicas.mean(tf.reduce_mean(scaled, 0), tf.zeros([3]))
            loss = tf.reduce_sum(tf.square(scaled - mean * mean))
        gradient = tape.gradient(loss, factor)
        replicas.update(copy, mean)
        slices = tf.IndexedSlices(gradient[None], [0], [2, 3])
        good = replicas.all_or_none_finite([gradient, slices])
        finite = replicas.all_or_none_finite([tf.ones([1]), replicas.own_rows(bad)])
        total = tf.distribute.get_replica_context().all_reduce("SUM", gradient)
        return rows, total, good[0] - gradient, finite[0]
    return strategy.run(on_each)

rows, total, unchanged, finite = (strategy.experimental_local_results(r) for r in step())
print(json.dumps({
    "x": x.numpy().tolist(),
    "rows": [r.numpy().tolist() for r in rows],
    "total": total[0].numpy().tolist(),
    "copies": [c.numpy().tolist() for c in copy.values],
    "unchanged": [float(tf.reduce_max(tf.abs(u))) for u in unchanged],
    "nan": [bool(tf.math.is_nan(f[0])) for f in finite],
}))
"""


@pytest.fixture(scope="module")
def two():
    return run_with_devices(TWO)


def test_rows_are_dealt_in_turn(two):
    np.testing.assert_array_equal(two["rows"], [two["x"][0::2], two["x"][1::2]])


def test_means_and_their_gradients_are_those_of_the_global_batch(two):
    x, factor = tf.constant(two["x"]), tf.fill([3], 2.0)
    with tf.GradientTape() as tape:
        tape.watch(factor)
        mean = tf.reduce_mean(x * factor, 0)
        loss = tf.reduce_sum(tf.square(x * factor - mean * mean))
    np.testing.assert_allclose(two["total"], tape.gradient(loss, factor), rtol=1e-5)
    np.testing.assert_allclose(two["copies"], [mean, mean], rtol=1e-5, atol=1e-6)


def test_a_gradient_that_is_not_finite_on_one_replica_is_nan_on_all(two):
    assert two["unchanged"] == [0.0, 0.0]
    assert two["nan"] == [True, True]


def test_alone_nothing_changes():
    values = tf.constant([[1.0], [2.0]])
    assert replicas.count() == 1
    assert replicas.own_rows(values) is values
    assert replicas.mean(values)[0] is values
    assert replicas.all_or_none_finite([values])[0] is values
    variable = tf.Variable([0.0])
    replicas.update(variable, tf.constant([3.0]))
    assert variable.numpy() == [3.0]
