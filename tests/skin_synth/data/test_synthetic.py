"""Synthetic batches: pure functions of (seed, step), equal to `generate`, with given shares."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import skin_synth
from skin_synth.data.synthetic import GeneratesBatches, synthetic_dataset, synthetic_requests
from tfrecords_tools.errors import InputError


@dataclasses.dataclass(frozen=True)
class FakeGenerator(GeneratesBatches):
    """Red is the label, the other channels follow from the seed and the truncation."""

    class_names: tuple[str, ...] = ("a", "b", "c")
    image_size: int = 8

    def generate(self, label_ids, seeds, *, truncation=1.0):
        images = np.empty((len(seeds), 8, 8, 3), np.uint8)
        images[..., 0] = np.asarray(label_ids)[:, None, None]
        images[..., 1] = (np.asarray(seeds) % 251)[:, None, None]
        images[..., 2] = int(100 * truncation)
        return images


class TrainedGenerator(FakeGenerator):
    class_counts = (60, 30, 10)


GENERATOR = FakeGenerator()


def take(count, generator=GENERATOR, batch_size=16, **options):
    return [*generator.dataset(batch_size, **options).take(count).as_numpy_iterator()]


def shares_of(generator=GENERATOR, **options):
    labels = np.concatenate([labels for _, labels in take(1, generator, 4000, **options)])
    return np.bincount(labels, minlength=3) / len(labels)


def test_elements_are_those_of_real_batches():
    found = GENERATOR.dataset(16)
    assert found.element_spec == (
        tf.TensorSpec((16, 8, 8, 3), tf.uint8),
        tf.TensorSpec((16,), tf.int32),
    )
    assert found.cardinality() == tf.data.INFINITE_CARDINALITY
    for images, labels in take(3):
        assert (images.shape, images.dtype, labels.dtype) == ((16, 8, 8, 3), np.uint8, np.int32)
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)


def test_each_image_can_be_generated_again():
    options = {"seed": 3, "class_shares": {"a": 1, "c": 2}}
    for step, (images, labels) in enumerate(take(4, truncation=0.5, **options)):
        label_ids, seeds = synthetic_requests(GENERATOR, 16, step, **options)
        assert (label_ids.dtype, seeds.dtype, seeds.min() >= 0) == (np.int64, np.int64, True)
        np.testing.assert_array_equal(labels, label_ids)
        again = GENERATOR.generate(label_ids, seeds, truncation=0.5)
        np.testing.assert_array_equal(images, again)


def test_batch_t_is_the_same_wherever_one_starts_and_differs_by_seed_and_step():
    whole, tail = take(6, seed=5), take(3, seed=5, first_step=3)
    for ours, theirs in zip(whole[3:], tail, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    for other in (whole[1], take(1, seed=6)[0]):
        assert not np.array_equal(whole[0][0], other[0])


def test_no_seed_comes_twice():
    seeds = np.concatenate([synthetic_requests(GENERATOR, 100, step)[1] for step in range(50)])
    assert len(set(seeds.tolist())) == 5000


@pytest.mark.parametrize(
    ("class_shares", "expected"),
    [
        (None, [1 / 3] * 3),
        ("equal", [1 / 3] * 3),
        ({"c": 3, "a": 1}, [0.25, 0, 0.75]),
        ({"a": 1, "b": 0, "c": 0}, [1, 0, 0]),
        ({"b": 1e-3}, [0, 1, 0]),
    ],
)
def test_classes_have_their_shares(class_shares, expected):
    found = shares_of(class_shares=class_shares)
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert [share == 0 for share in found] == [share == 0 for share in expected]


def test_natural_shares_are_those_of_the_training_images():
    found = shares_of(TrainedGenerator(), class_shares="natural")
    np.testing.assert_allclose(found, [0.6, 0.3, 0.1], atol=0.03)
    with pytest.raises(InputError, match='"natural" needs the numbers of training images'):
        GENERATOR.dataset(16, class_shares="natural")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_shares": {"a": 1, "d": 1}}, r"unknown classes \['d'\]; known are a, b, c"),
        ({"class_shares": {"a": 1, "b": -1}}, "at least 0, one of them above 0, got .*-1"),
        ({"class_shares": {"a": 0, "b": 0}}, "one of them above 0"),
        ({"class_shares": {}}, "one of them above 0, got {}"),
        ({"class_shares": {"a": np.nan}}, "finite numbers"),
        ({"class_shares": "even"}, "'equal', 'natural' or a share for each class, got 'even'"),
        ({"batch_size": 0}, "batch_size must be from 1"),
        ({"seed": -1}, "seed must be from 0"),
        ({"seed": 2**63}, "seed must be from 0"),
        ({"first_step": -1}, "step must be from 0"),
        ({"truncation": np.inf}, "truncation must be finite, got inf"),
    ],
)
def test_wrong_options_are_refused_at_once(options, message):
    with pytest.raises(InputError, match=message):
        GENERATOR.dataset(**{"batch_size": 16, **options})


def test_keras_fits_on_it_alone_and_mixed_with_others():
    model = keras.Sequential(
        [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(GENERATOR.dataset(16), steps_per_epoch=3, shuffle=False, verbose=0)
    both = [GENERATOR.dataset(16, seed=1), GENERATOR.dataset(16, seed=2)]
    mixed = tf.data.Dataset.sample_from_datasets(both, [0.5, 0.5], seed=0)
    model.fit(mixed, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    assert model.optimizer.iterations == 9


def test_the_public_names_are_these_functions():
    assert skin_synth.synthetic_dataset is synthetic_dataset
    assert skin_synth.synthetic_requests is synthetic_requests
