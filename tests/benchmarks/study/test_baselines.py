"""The baselines equal their sources: losses, spectral norms, a step, state."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.study import baselines
from benchmarks.study.baseline_networks import ConditionalNorm, SpectralKernel
from tfrecords_tools.errors import InputError

pytestmark = pytest.mark.slow

CLASSES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "counts"), [("dcgan", (951_043, 670_145)), ("sngan", (1_249_731, 1_024_034))]
)
def test_parameter_counts_are_the_frozen_ones(name, counts):
    made = baselines.BASELINES[name](7 * ["x"], policy="float32")
    assert (made.generator.count_params(), made.discriminator.count_params()) == counts


@contextlib.contextmanager
def few_channels():
    """Gives the networks few channels, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        few = {"dcgan": {32: (16, 8, 8), 64: (16, 8, 8, 8)}}
        few["sngan"] = {32: (8, 16, 8, 8), 64: (8, 16, 8, 8, 8)}
        for name, model in baselines.BASELINES.items():
            patch.setattr(model, "generator_widths", few[name])
            patch.setattr(model, "discriminator_widths", few[name])
        yield


@pytest.fixture(scope="module", params=sorted(baselines.BASELINES))
def model(request):
    with few_channels():
        made = baselines.BASELINES[request.param](CLASSES, batch_size=4, seed=3, policy="float32")
    made.compile()
    return made


def batch(seed=0):
    rng = np.random.default_rng(seed)
    images = tf.constant(rng.integers(0, 256, (4, 32, 32, 3)), tf.uint8)
    return images, tf.constant([0, 1, 2, 1], tf.int32)


def moved(before, variables):
    return [bool((old != new.numpy()).any()) for old, new in zip(before, variables, strict=True)]


def test_losses_equal_their_formulas_in_float64():
    rng = np.random.default_rng(0)
    real, fake = 3 * rng.standard_normal((2, 50))

    def log_sigmoid(x):
        return -np.log1p(np.exp(-x))

    both = tf.constant(real, tf.float32), tf.constant(fake, tf.float32)
    smoothed = 0.9 * log_sigmoid(real) + 0.1 * log_sigmoid(-real)
    hinges = np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)
    for name, logits, expected in (
        ("bce_discriminator", both, -np.mean(smoothed + log_sigmoid(-fake)) / 2),
        ("hinge_discriminator", both, np.mean(hinges)),
        ("bce_generator", both[1:], -np.mean(log_sigmoid(fake))),
        ("hinge_generator", both[1:], -np.mean(fake)),
    ):
        np.testing.assert_allclose(getattr(baselines, name)(*logits), expected, rtol=1e-5)


def test_spectral_kernel_is_divided_by_its_largest_singular_value():
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((3, 3, 4, 5)).astype(np.float32)
    layer = SpectralKernel((3, 3, 4, 5), lambda shape, dtype=None: tf.constant(weights), seed=2)
    before = layer.vector.numpy()
    layer.normalised(training=False)
    np.testing.assert_array_equal(layer.vector.numpy(), before)
    for _ in range(100):
        layer.normalised(training=True)
    largest = np.linalg.svd(weights.reshape(36, 5).astype(np.float64), compute_uv=False)[0]
    np.testing.assert_allclose(layer.normalised(training=False), weights / largest, rtol=1e-5)


def test_conditional_norm_is_batch_normalisation_with_the_scale_and_shift_of_the_class():
    rng = np.random.default_rng(2)
    x = (2 + 3 * rng.standard_normal((4, 3, 3, 2))).astype(np.float32)
    labels = np.array([0, 2, 1, 2])
    layer = ConditionalNorm(dtype="float32")
    inputs = tf.constant(x), tf.one_hot(labels, 3)
    layer(inputs)
    scale, shift = rng.standard_normal((2, 3, 2)).astype(np.float32)
    layer.scale.assign(scale)
    layer.shift.assign(shift)
    wide = x.astype(np.float64)
    mean, variance = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    normal = (wide - mean) / np.sqrt(variance + 1e-3)
    expected = normal * scale[labels][:, None, None] + shift[labels][:, None, None]
    np.testing.assert_allclose(layer(inputs, training=True), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.01 * mean, rtol=1e-4)


def test_a_step_moves_both_networks_and_the_average(model):
    parts = model.generator, model.discriminator, model.ema_generator
    before = [[variable.numpy().copy() for variable in part.variables] for part in parts]
    seen = model.images_seen
    logs = model.train_step(batch())
    assert all(np.isfinite(float(value)) for value in logs.values())
    assert model.images_seen == seen + 4
    for part, old in zip(parts[:2], before, strict=False):
        trained = {variable.path for variable in part.trainable_variables}
        changes = zip(part.variables, moved(old, part.variables), strict=True)
        assert not trained & {variable.path for variable, changed in changes if not changed}
    assert any(moved(before[2], model.ema_generator.variables))
    # With n steps done the average keeps (1 + n) / (10 + n).
    decay = (1 + seen // 4) / (10 + seen // 4)
    new = model.generator.variables, model.ema_generator.variables
    for old, now, average in zip(before[2], *new, strict=True):
        expected = now.numpy() + decay * (old - now.numpy())
        np.testing.assert_allclose(average.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_the_discriminator_judges_each_image_alone_and_depends_on_the_class(model):
    images, labels = batch()
    images = tf.cast(images, tf.float32) / 127.5 - 1
    together = model.discriminator((images, labels)).numpy()
    alone = [model.discriminator((images[i : i + 1], labels[i : i + 1])).numpy() for i in range(4)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-3, atol=1e-6)
    assert not np.allclose(together, model.discriminator((images, (labels + 1) % 3)).numpy())


def test_state_comes_back_whole_and_the_next_step_is_the_same(model, tmp_path):
    model.train_step(batch(1))
    path = tmp_path / "state.weights.h5"
    model.save_weights(path)
    with few_channels():
        twin = type(model)(CLASSES, batch_size=4, seed=3, policy="float32")
    twin.compile()
    twin.load_weights(path)
    for each in (model, twin):
        each.train_step(batch(2))
    assert twin.images_seen == model.images_seen
    for expected, found in zip(model.variables, twin.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy(), err_msg=expected.path)


def test_generation_is_the_same_alone_and_in_a_batch(model):
    images = model.generate(np.array([0, 1, 2]), np.array([5, 6, 5]))
    assert images.shape == (3, 32, 32, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(model.generate(np.array([1]), np.array([6])), images[1:2])


def test_sizes_without_frozen_widths_are_refused():
    with pytest.raises(InputError, match="got image_size 128"):
        baselines.ConditionalDCGAN(CLASSES, image_size=128, policy="float32")


@pytest.mark.parametrize("name", sorted(baselines.BASELINES))
def test_a_bfloat16_step_at_64_pixels_is_finite(name):
    with few_channels():
        made = baselines.BASELINES[name](CLASSES, image_size=64, policy="mixed_bfloat16")
    made.compile()
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (4, 64, 64, 3)), tf.uint8)
    logs = made.train_step((images, batch()[1]))
    assert all(np.isfinite(float(value)) for value in logs.values())
    assert made.generate(np.array([0]), np.array([0])).shape == (1, 64, 64, 3)
