"""Augmentation: known answers, exact derivatives of first and second order."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth import augment
from skin_synth.models import losses

SIZE = 12


def images(count=6, seed=1):
    return tf.random.stateless_uniform([count, SIZE, SIZE, 3], [seed, 2], -1.0, 1.0)


def neutral(count):
    return augment.draw(tf.constant([0, 0], tf.int64), count, tf.constant(0.0))


def only(**values):
    """Neutral parameters of one image, except for some."""
    return neutral(1) | {name: tf.constant([value], tf.float32) for name, value in values.items()}


def drawn(count, seed=3):
    return augment.draw(tf.constant([seed, 4], tf.int64), count, tf.constant(1.0))


OPERATIONS = {
    "turn": lambda images, parameters: augment.turn(images, parameters["symmetry"]),
    "warp": augment.warp,
    "colour": augment.colour,
    "cutout": augment.cutout,
    "all": augment.apply,
}


def test_probability_zero_changes_nothing():
    x = images()
    np.testing.assert_allclose(augment.apply(x, neutral(6)), x, atol=1e-6)


def test_the_same_seed_gives_the_same_parameters_and_another_seed_others():
    first, again, other = drawn(8), drawn(8), drawn(8, seed=5)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.allclose(first["angle"], other["angle"])


def test_each_operation_is_applied_with_the_given_probability():
    parameters = augment.draw(tf.constant([1, 1], tf.int64), 4000, tf.constant(0.3))
    for name, off in (("shift_y", 0), ("angle", 0), ("contrast", 1), ("hue", 0), ("cutout", 0)):
        share = np.mean(parameters[name].numpy() != off)
        assert share == pytest.approx(0.3, abs=0.03), name


def test_parameters_stay_in_their_ranges():
    parameters = {name: value.numpy() for name, value in drawn(4000).items()}
    assert np.abs(parameters["shift_y"]).max() <= augment.SHIFT
    assert np.abs(np.log2(parameters["scale"])).max() <= augment.LOG2_SCALE + 1e-6
    assert np.abs(parameters["brightness"]).max() <= augment.BRIGHTNESS
    assert np.abs(parameters["hue"]).max() <= augment.HUE
    assert set(parameters["symmetry"]) == set(range(8))
    for centre in (parameters["cutout_y"], parameters["cutout_x"]):
        assert 0 <= centre.min() < 0.01 < 0.99 < centre.max() <= 1


def test_parameters_are_independent_of_each_other():
    parameters = drawn(4000)
    columns = [column.numpy() for name, column in parameters.items() if name != "cutout"]
    correlations = np.corrcoef(np.stack(columns)) - np.eye(len(columns))
    assert np.abs(correlations).max() < 0.1


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_equal_rot90(quarters):
    x = images(1)
    turned = augment.warp(x, only(angle=-quarters * np.pi / 2))
    np.testing.assert_allclose(turned, tf.image.rot90(x, quarters), atol=1e-4)


def test_turn_gives_the_eight_symmetries_of_the_square():
    image = np.arange(27).reshape(1, 3, 3, 3)
    turned = augment.turn(tf.constant(np.repeat(image, 8, axis=0)), tf.range(8)).numpy()
    expected = [np.rot90(flip, k) for flip in (image[0], image[0][:, ::-1]) for k in range(4)]
    assert {t.tobytes() for t in turned} == {np.ascontiguousarray(e).tobytes() for e in expected}


@pytest.mark.parametrize("symmetry", range(augment.SYMMETRIES))
def test_warp_turns_first(symmetry):
    """Exactly where nothing else moves, and to rounding under a warp of the turned image."""
    chosen, x = tf.fill([6], symmetry), images()
    turned = augment.turn(x, chosen)
    np.testing.assert_array_equal(augment.warp(x, {**neutral(6), "symmetry": chosen}), turned)
    warped = augment.warp(x, {**drawn(6), "symmetry": chosen})
    straight = augment.warp(turned, {**drawn(6), "symmetry": tf.zeros_like(chosen)})
    np.testing.assert_allclose(warped, straight, atol=1e-4)


def test_a_shift_by_whole_pixels_moves_pixels_and_mirrors_the_edge():
    x = images(1)
    moved = augment.warp(x, only(shift_y=2 / SIZE)).numpy()
    np.testing.assert_allclose(moved[0, 2:], x[0, :-2], atol=1e-5)
    moved = augment.warp(x, only(shift_x=1 / SIZE)).numpy()
    np.testing.assert_allclose(moved[0, :, 0], x[0, :, 1], atol=1e-5)


def test_scale_two_doubles_distances_from_the_centre():
    ramp = np.broadcast_to(np.linspace(-1, 1, SIZE)[None, :, None, None], (1, SIZE, SIZE, 3))
    scaled = augment.warp(tf.constant(ramp, tf.float32), only(scale=2.0)).numpy()
    np.testing.assert_allclose(scaled, ramp / 2, atol=1e-5)


def test_colour_by_hand():
    x = tf.constant([[[[0.2, 0.4, 0.6]]]])
    changed = augment.colour(x, only(saturation=0.5, brightness=0.1))
    np.testing.assert_allclose(changed[0, 0, 0], [0.4, 0.5, 0.6], atol=1e-6)


def test_hue_turns_by_the_angle_about_the_greys():
    """A third of a turn shifts the channels; the angle is that between the chromas; grey stays."""
    x = tf.constant([[[[0.2, 0.4, 0.6]]]])
    turned = augment.colour(x, only(hue=2 * np.pi / 3))
    np.testing.assert_allclose(turned[0, 0, 0], [0.6, 0.2, 0.4], atol=1e-6)
    before, after = (
        (image - tf.reduce_mean(image)).numpy().ravel()
        for image in (x, augment.colour(x, only(hue=0.1)))
    )
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert np.arccos(cosine) == pytest.approx(0.1, abs=1e-4)
    grey = tf.ones([1, 2, 2, 3]) * 0.3
    np.testing.assert_allclose(augment.colour(grey, only(hue=0.1)), grey, atol=1e-6)


def test_contrast_moves_about_the_mean_of_the_image():
    x = images(1)
    changed = augment.colour(x, only(contrast=1.3))
    mean = np.mean(x)
    np.testing.assert_allclose(changed, mean + 1.3 * (x - mean), atol=1e-6)


def test_cutout_blanks_its_square():
    ones = tf.ones([1, SIZE, SIZE, 3])
    cut = augment.cutout(ones, only(cutout=0.5, cutout_y=0.5, cutout_x=0.0)).numpy()
    expected = np.ones((SIZE, SIZE))
    expected[3:9, :3] = 0
    np.testing.assert_array_equal(cut[0, :, :, 0], expected)


@pytest.mark.parametrize("name", OPERATIONS)
def test_first_derivative_equals_finite_differences(name):
    """The operations are linear in the images, so that a difference of any width is exact."""
    parameters, x = drawn(6), images()
    direction, weights = images(seed=7), images(seed=8)
    operation = OPERATIONS[name]
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(operation(x, parameters) * weights)
    analytic = tf.reduce_sum(tape.gradient(value, x) * direction)
    difference = operation(x + direction, parameters) - operation(x, parameters)
    numeric = np.sum(difference.numpy().astype(np.float64) * weights.numpy())
    assert float(analytic) == pytest.approx(numeric, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("name", OPERATIONS)
def test_second_derivative_through_the_penalty_equals_finite_differences(name):
    """d/dw |grad_x critic_w(augment(x))|^2, the path that R1 trains by."""
    parameters, x = drawn(6), images()
    operation = OPERATIONS[name]
    kernel = tf.random.stateless_normal([3, 3, 3, 4], [5, 6]) / 4

    def penalty(weights):
        def critic(images):
            hidden = tf.nn.conv2d(operation(images, parameters), weights, 2, "SAME")
            return tf.reduce_sum(hidden**2, axis=[1, 2, 3])

        return losses.gradient_penalty(critic, x)

    with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = penalty(kernel)
    gradient = tape.gradient(value, kernel).numpy().astype(np.float64)
    direction = np.random.default_rng(1).standard_normal(kernel.shape).astype(np.float32)
    up, down = (float(penalty(kernel + step * direction)) for step in (1e-2, -1e-2))
    numeric = (up - down) / 2e-2
    # Of the size that a derivative in any direction may have: this one may be small by chance.
    error = 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(direction)
    assert np.sum(gradient * direction) == pytest.approx(numeric, rel=5e-3, abs=error)
