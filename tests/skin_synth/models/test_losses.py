"""Losses and penalties against float64 references and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models import losses

REAL = np.array([0.3, -2.0, 5.0, 0.9, -0.1])
FAKE = np.array([-1.2, 0.4, -4.0, 1.7, 0.0])


def softplus(x):
    return np.log1p(np.exp(x))


def relu(x):
    return np.maximum(x, 0)


REFERENCES = {
    "non_saturating": (
        lambda r, f: np.mean(softplus(-r) + softplus(f)),
        lambda r, f: np.mean(softplus(-f)),
    ),
    "hinge": (lambda r, f: np.mean(relu(1 - r) + relu(1 + f)), lambda r, f: -np.mean(f)),
    "relativistic": (lambda r, f: np.mean(softplus(f - r)), lambda r, f: np.mean(softplus(r - f))),
}


@pytest.mark.parametrize("name", losses.BY_NAME)
def test_losses_equal_the_float64_formula_and_do_not_overflow(name):
    for function, reference in zip(losses.BY_NAME[name], REFERENCES[name], strict=True):
        value = function(tf.constant(REAL, tf.float32), tf.constant(FAKE, tf.float32))
        assert float(value) == pytest.approx(reference(REAL, FAKE), rel=1e-6)
        confident = function(tf.constant([1e4, -1e4]), tf.constant([-1e4, 1e4]))
        assert np.isfinite(float(confident))


def test_penalty_is_the_mean_over_images_not_the_sum():
    images = tf.random.stateless_normal([6, 4, 4, 3], [3, 4])
    penalty = losses.gradient_penalty(lambda x: tf.reduce_sum(x**2, axis=[1, 2, 3]), images)
    expected = np.mean(np.sum((2 * images.numpy().astype(np.float64)) ** 2, axis=(1, 2, 3)))
    assert float(penalty) == pytest.approx(expected, rel=1e-5)


def test_derivative_of_the_penalty_equals_finite_differences():
    kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, 4], [5, 6], dtype=tf.float64))
    head = tf.random.stateless_normal([4], [7, 8], dtype=tf.float64)
    images = tf.random.stateless_normal([2, 8, 8, 3], [9, 9], dtype=tf.float64)

    def penalty(weights):
        def critic(x):
            hidden = tf.nn.conv2d(x, weights, strides=2, padding="SAME")
            return tf.reduce_sum(tf.nn.softplus(hidden) * head, axis=[1, 2, 3])

        return losses.gradient_penalty(critic, images)

    with tf.GradientTape() as tape:
        value = penalty(kernel)
    gradient = tape.gradient(value, kernel).numpy()
    rng, step = np.random.default_rng(0), 1e-5
    for _ in range(5):
        direction = rng.standard_normal(kernel.shape)
        up, down = penalty(kernel + step * direction), penalty(kernel - step * direction)
        numeric = (float(up) - float(down)) / (2 * step)
        assert np.sum(gradient * direction) == pytest.approx(numeric, rel=1e-5)
