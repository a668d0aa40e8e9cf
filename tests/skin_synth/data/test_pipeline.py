"""Batches: pure functions of (seed, step), the requested class shares, only true symmetries."""

from __future__ import annotations

import itertools
import math
import shutil
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.data.pipeline import LabelledImages, batches, class_probabilities, load_split, mix
from tests.skin_synth.rewriting import altered
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read_info

COUNTS = (60, 30, 6)


def split():
    labels = np.repeat(np.arange(3), COUNTS)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(labels))
    images = rng.integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    # The label stands in the first pixel's neighbourhood, safe from turns: the whole red channel.
    images[..., 0] = labels[:, None, None]
    names = tuple(f"image{i}" for i in range(len(labels)))
    return LabelledImages(images[order], labels[order], names, names, ("a", "b", "c"))


def take(count, **options):
    options = {"batch_size": 16, "seed": 5, "exponent": 0.5, **options}
    return list(itertools.islice(batches(split(), **options).as_numpy_iterator(), count))


def test_batches_have_the_promised_shapes_and_dtypes():
    images, labels = take(1)[0]
    assert images.shape == (16, 8, 8, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32


def test_every_image_comes_with_its_own_label():
    for images, labels in take(20):
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)


def test_batch_t_is_the_same_wherever_one_starts():
    whole, tail = take(6), take(3, first_step=3)
    for (images, labels), (late_images, late_labels) in zip(whole[3:], tail, strict=True):
        np.testing.assert_array_equal(images, late_images)
        np.testing.assert_array_equal(labels, late_labels)


def test_another_seed_gives_other_batches():
    assert not np.array_equal(take(1)[0][0], take(1, seed=6)[0][0])


def test_steps_differ_from_each_other():
    first, second = take(2)
    assert not np.array_equal(first[0], second[0])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_classes_are_drawn_by_their_probabilities(exponent):
    labels = np.concatenate([labels for _, labels in take(400, exponent=exponent)])
    shares = np.bincount(labels, minlength=3) / len(labels)
    np.testing.assert_allclose(shares, class_probabilities(np.array(COUNTS), exponent), atol=0.025)


def test_every_image_of_a_class_is_drawn():
    seen = {
        image[..., 1].tobytes() for images, labels in take(400) for image in images[labels == 2]
    }
    assert len(seen) > 6  # six images, each in several of its eight symmetries


def test_probabilities_by_hand():
    np.testing.assert_allclose(class_probabilities(np.array([9, 1]), 0.5), [0.75, 0.25])


def test_a_class_without_images_is_refused():
    with pytest.raises(InputError, match=r"classes number \[1\] have no training image"):
        class_probabilities(np.array([3, 0]), 0.5)


def test_a_split_is_read_as_it_was_built(phantom_data):
    train = load_split(phantom_data, "train")
    assert train.images.shape[1:] == (32, 32, 3)
    assert len(train) == len(train.labels) == len(train.image_ids) == len(train.groups)
    assert train.class_counts.min() > 0


def test_a_split_that_is_not_there_is_named(phantom_data):
    with pytest.raises(InputError, match="no split 'holdout'; it has train"):
        load_split(phantom_data, "holdout")


SHARD = r"shard .*train\.tfrecord-00000-of-00001"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image": encode_png(np.zeros((1, 1, 3), np.uint8))},
            r"its image is of shape \(1, 1, 3\), not",
        ),
        (
            {"image": encode_png(np.zeros((64, 64, 3), np.uint8))},
            r"its image is of shape \(64, 64, 3\), not",
        ),
        ({"image": b"\x89PNG and no more"}, "its image cannot be decoded"),
        ({"label": 7}, "its label is 7, of 7 classes"),
        ({"label": -1}, "its label is -1, of 7 classes"),
    ],
)
def test_a_record_that_does_not_fit_is_named(changes, message, phantom_data, tmp_path):
    with pytest.raises(
        InputError, match=rf"{SHARD}: record 2: {message}.*build the data set again"
    ):
        load_split(altered(phantom_data, tmp_path / "out", **changes), "train")


def test_more_records_than_promised_are_told(phantom_data, tmp_path):
    copy = shutil.copytree(phantom_data, tmp_path / "data")
    [shard] = read_info(copy).splits["train"].shards
    shard.write_bytes(2 * shard.read_bytes())
    count = read_info(copy).splits["train"].num_records
    message = rf"{SHARD} has {2 * count} records, the metadata promise {count}"
    with pytest.raises(InputError, match=message):
        load_split(copy, "train")


def numbers(first):
    return tf.data.Dataset.counter(np.int64(first)).map(lambda n: {"n": n})


@pytest.mark.parametrize("ratio", [0, 0.1, 0.5, 0.6, 1, 1.7, 9, 1e-300, 0.3333333333333333])
def test_mix_keeps_the_ratio_at_every_length(ratio):
    mixed = mix(numbers(0), numbers(1000), ratio).take(60)
    found = [int(element["n"]) for element in mixed.as_numpy_iterator()]
    synthetic = [number for number in found if number >= 1000]
    assert synthetic == list(range(1000, 1000 + len(synthetic)))
    assert [n for n in found if n < 1000] == list(range(60 - len(synthetic)))
    for length in range(61):
        expected = math.floor(length * Fraction(str(ratio)) / (1 + Fraction(str(ratio))))
        assert sum(number >= 1000 for number in found[:length]) == expected


def test_mix_is_exact_where_binary_fractions_are_not():
    mixed = mix(numbers(0), numbers(1000), 0.6).take(8)
    assert sum(int(element["n"]) >= 1000 for element in mixed.as_numpy_iterator()) == 3


def test_mix_ends_where_one_side_ends():
    real = tf.data.Dataset.range(4)
    assert list(mix(real, real.map(lambda n: n + 10), 1).as_numpy_iterator()) == [
        *(0, 10, 1, 11, 2, 12, 3, 13),
    ]
    assert list(mix(real, real.take(1), 1).as_numpy_iterator()) == [0, 0, 1]


@pytest.mark.parametrize("ratio", [-1, float("nan"), float("inf")])
def test_mix_refuses_other_ratios(ratio):
    with pytest.raises(InputError, match="ratio must be"):
        mix(numbers(0), numbers(0), ratio)


def test_mix_refuses_elements_that_differ():
    with pytest.raises(InputError, match="must be alike"):
        mix(numbers(0), tf.data.Dataset.range(3), 1)
