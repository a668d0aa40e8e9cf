"""Batches: pure functions of (seed, step), the requested class shares, only true symmetries."""

from __future__ import annotations

import dataclasses
import math
import shutil
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.data.pipeline import LabelledImages, batches, class_probabilities, load_split, mix
from skin_synth.data.streaming import open_split
from tests.data_sets import write_records
from tests.encoding import encoded
from tests.images import noise
from tests.skin_synth.rewriting import MISFITS, altered
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import Record

COUNTS = (60, 30, 6)


def split():
    labels, rng = np.repeat(np.arange(3), COUNTS), np.random.default_rng(0)
    order = rng.permutation(len(labels))
    images = rng.integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    # The red channel is the label, also after a turn.
    images[..., 0] = labels[:, None, None]
    names = tuple(f"image{i}" for i in range(len(labels)))
    return LabelledImages(images[order], labels[order], names, names, ("a", "b", "c"))


def take(count, **options):
    options = {"batch_size": 16, "seed": 5, "exponent": 0.5, **options}
    return [*batches(split(), **options).take(count).as_numpy_iterator()]


def test_every_image_comes_with_its_own_label():
    for images, labels in take(20):
        assert (images.shape, images.dtype) == ((16, 8, 8, 3), np.uint8)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)


def test_batch_t_is_the_same_wherever_one_starts_and_differs_by_seed_and_step():
    whole, tail = take(6), take(3, first_step=3)
    for ours, theirs in zip(whole[3:], tail, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    for other in (whole[1], take(1, seed=6)[0]):
        assert not np.array_equal(whole[0][0], other[0])


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
    with pytest.raises(InputError, match=r"classes number 1 have no training image"):
        class_probabilities(np.array([3, 0]), 0.5)


def test_a_split_is_read_as_it_was_built(phantom_data):
    train = load_split(phantom_data, "train")
    assert train.images.shape[1:] == (32, 32, 3)
    assert len(train) == len(train.labels) == len(train.image_ids) == len(train.groups)
    assert train.class_counts.min() > 0
    with pytest.raises(InputError, match="no split 'holdout'; it has train"):
        load_split(phantom_data, "holdout")


SHARD = r"shard .*train\.tfrecord-00000-of-00001"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({"image": image}, message) for image, message in MISFITS),
        ({"label": 7}, "its label is 7, of 7 classes"),
        ({"label": -1}, "its label is -1, of 7 classes"),
    ],
)
def test_a_record_that_does_not_fit_is_named(changes, message, phantom_data, tmp_path):
    said = rf"{SHARD}: record 2: {message}.*build the data set again"
    with pytest.raises(InputError, match=said):
        load_split(altered(phantom_data, tmp_path / "out", **changes), "train")


def test_more_records_than_promised_are_counted(phantom_data, tmp_path):
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
    exact = Fraction(str(ratio))  # eight elements at 0.6 have three synthetic ones, not two
    for length in range(61):
        expected = math.floor(length * exact / (1 + exact))
        assert sum(number >= 1000 for number in found[:length]) == expected


def test_mix_ends_where_one_side_ends():
    real = tf.data.Dataset.range(4)
    other = real.map(lambda n: n + 10)
    assert [*mix(real, other, 1).as_numpy_iterator()] == [0, 10, 1, 11, 2, 12, 3, 13]
    assert [*mix(real, real.take(1), 1).as_numpy_iterator()] == [0, 0, 1]


def test_mix_refuses_other_ratios_and_elements_that_differ():
    for ratio in (-1, math.nan, math.inf):
        with pytest.raises(InputError, match="ratio must be"):
            mix(numbers(0), numbers(0), ratio)
    with pytest.raises(InputError, match="must be alike"):
        mix(numbers(0), tf.data.Dataset.range(3), 1)


@pytest.fixture
def partly_synthetic(tmp_path):
    """Three real and two synthetic training images, and a split of synthetic ones."""
    origins = ("real", "synthetic", "real", "synthetic", "real")
    records = [
        Record(encoded(noise(number, 32, 32), "PNG"), number % 2, f"{number}", f"{number}", origin)
        for number, origin in enumerate(origins)
    ]
    tests = [
        dataclasses.replace(record, image_id=f"t{record.image_id}", origin="synthetic")
        for record in records
    ]
    shape = {"image_shape": (32, 32, 3)}
    return write_records(tmp_path / "data", {"train": records, "test": tests}, **shape)


@pytest.mark.parametrize("cache_limit", [None, 0])
def test_synthetic_records_are_known(partly_synthetic, cache_limit, tmp_path):
    split = open_split(
        partly_synthetic,
        "train",
        cache_limit=cache_limit,
        index_file=tmp_path / "index",
        fingerprint="",
    )
    assert (len(split), split.num_synthetic) == (5, 2)
    real = split.real()
    assert (len(real), real.num_synthetic) == (3, 0)
    assert real.real() is real
    expected = np.stack([noise(number, 32, 32) for number in (0, 2, 4)])
    np.testing.assert_array_equal(real.images[np.arange(3)], expected)
    assert real.labels.tolist() == [0, 0, 0]


def test_a_split_of_synthetic_images_is_nothing_to_compare_with(partly_synthetic):
    split = load_split(partly_synthetic, "test")
    assert split.num_synthetic == 5
    with pytest.raises(InputError, match="all 5 images of a split are synthetic"):
        split.real()
