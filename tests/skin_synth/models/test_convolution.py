"""The halving and the doubling convolution: TensorFlow's values, derivatives of every order."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models import convolution
from skin_synth.models.hardware import choose_policy

HEIGHT, WIDTH, INPUTS, OUTPUTS = 3, 5, 2, 4


def normal(seed, *shape, dtype=tf.float64):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), dtype)


def images(seed, count=3, **options):
    return normal(seed, count, 2 * HEIGHT, 2 * WIDTH, INPUTS, **options)


def halves(seed, count=3, **options):
    return normal(seed, count, HEIGHT, WIDTH, OUTPUTS, **options)


def kernels(seed):
    return normal(seed, 4, 4, INPUTS, OUTPUTS)


@pytest.mark.parametrize("by", [convolution._by_product, convolution._by_library])
def test_both_ways_to_the_kernel_gradient_give_the_derivative(by):
    """The form is linear in the kernel, so that one difference is its derivative."""
    x, y, direction = images(0), halves(1), kernels(2)
    expected = tf.reduce_sum(y * halved_by_tensorflow(x, direction))
    found = tf.reduce_sum(by(x, y) * direction)
    assert float(found) == pytest.approx(float(expected), rel=1e-10)


# Without bfloat16 in hardware, sums are also rounded between blocks.
BFLOAT16_UNIT = 2.0**-8 if choose_policy() == "mixed_bfloat16" else 2.0**-7


@pytest.mark.parametrize(("dtype", "unit"), [(tf.bfloat16, BFLOAT16_UNIT), (tf.float16, 2.0**-11)])
def test_low_precision_rounds_the_result_once(dtype, unit):
    x, y = images(0, dtype=dtype), halves(1, dtype=dtype)
    found = convolution._by_product(x, y)
    assert found.dtype == dtype
    exact = convolution._by_product(tf.cast(x, tf.float64), tf.cast(y, tf.float64))
    scale = float(tf.reduce_max(tf.abs(exact)))
    np.testing.assert_allclose(tf.cast(found, tf.float64), exact, atol=scale * unit)


def halved_by_tensorflow(x, kernel):
    return tf.nn.conv2d(x, kernel, 2, "SAME")


def doubled_by_tensorflow(y, kernel):
    shape = [tf.shape(y)[0], 2 * HEIGHT, 2 * WIDTH, INPUTS]
    return tf.nn.conv2d_transpose(y, kernel, shape, 2, "SAME")


HALVE = convolution.halve, halved_by_tensorflow, images
DOUBLE = convolution.double, doubled_by_tensorflow, halves


@pytest.mark.parametrize(("ours", "theirs", "make"), [HALVE, DOUBLE])
@pytest.mark.parametrize("by_product", [True, False])
def test_values_and_three_derivatives_equal_those_of_tensorflow(
    monkeypatch, ours, theirs, make, by_product
):
    """A smooth function of the result, derived along one direction after another."""
    monkeypatch.setattr(convolution, "_product_is_faster", lambda x: by_product)
    monkeypatch.setattr(convolution, "_has_few_channels", lambda channels, dtype: by_product)
    x, kernel = make(0), kernels(1)
    np.testing.assert_allclose(ours(x, kernel), theirs(x, kernel), rtol=1e-12, atol=1e-12)
    along = [(make(10 + order), kernels(20 + order)) for order in range(3)]

    def derived(function, order):
        if order == 0:
            return lambda a, b: tf.reduce_sum(tf.sin(function(a, b)))
        inner, (da, db) = derived(function, order - 1), along[order - 1]

        def outer(a, b):
            with tf.GradientTape() as tape:
                tape.watch([a, b])
                value = inner(a, b)
            by_a, by_b = tape.gradient(value, [a, b])
            return tf.reduce_sum(by_a * da) + tf.reduce_sum(by_b * db)

        return outer

    for order in (1, 2, 3):
        found, expected = (derived(f, order)(x, kernel) for f in (ours, theirs))
        assert float(found) == pytest.approx(float(expected), rel=1e-9), order


def test_products_are_for_small_images_in_bfloat16_and_few_channels_in_float32(monkeypatch):
    def quicker(side, channels, dtype):
        return convolution._product_is_faster(tf.zeros([1, side, side, channels], dtype))

    small, many = convolution.SMALL_SIDE, 2 * convolution.FEW_CHANNELS
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    assert quicker(small, many, tf.bfloat16)
    assert not quicker(2 * small, many, tf.bfloat16)
    assert not quicker(small, many, tf.float32)
    assert quicker(2 * small, convolution.FEW_CHANNELS, tf.float32)
    assert not quicker(2 * small, convolution.FEW_CHANNELS, tf.bfloat16)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    assert not quicker(small, many, tf.bfloat16)
    assert not quicker(small, convolution.FEW_CHANNELS, tf.float32)


def test_unknown_numbers_of_images_are_taken():
    shapes = [None, HEIGHT, WIDTH, OUTPUTS], kernels(0).shape
    specs = [tf.TensorSpec(shape, tf.float64) for shape in shapes]
    traced = tf.function(convolution.double, input_signature=specs)
    for count in (1, 4):
        expected = convolution.double(halves(0, count), kernels(1))
        np.testing.assert_allclose(traced(halves(0, count), kernels(1)), expected)
