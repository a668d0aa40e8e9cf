"""No two streams draw the same words in any step; data and networks use them."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from skin_synth import random_streams as streams
from skin_synth.data.pipeline import batches, load_split
from skin_synth.models.gan import ConditionalGAN
from skin_synth.random_streams import ClassifierStream, EvaluationStream, GenerationStream, Stream


def words(seed, step, stream):
    drawn_by = streams.key(seed, tf.constant(step, tf.int64), stream)
    return tuple(tf.random.stateless_uniform([4], drawn_by, None, None, tf.int32).numpy().tolist())


def test_seed_step_and_stream_each_make_other_words():
    chosen = itertools.product((0, 1, 2**63 - 1), (0, 1, 2**40), Stream)
    assert len(set(itertools.starmap(words, chosen))) == 9 * len(Stream)
    assert words(7, 3, Stream.CLASS) == words(7, 3, Stream.CLASS)


def test_data_and_networks_of_a_step_use_all_streams(phantom_data, tiny_preset, monkeypatch):
    taken = []

    def watched(seed, step, stream):
        taken.append(stream)
        return streams.key(seed, step, stream)

    for module in ("data.pipeline", "models.gan"):
        monkeypatch.setattr(f"skin_synth.{module}.key", watched)
    split = load_split(phantom_data, "train")
    batch = next(iter(batches(split, batch_size=8, seed=1, exponent=0.5)))
    assert sorted(taken) == [Stream.CLASS, Stream.MEMBER, Stream.SYMMETRY]
    gan = ConditionalGAN(tiny_preset, split.class_names, seed=1, policy="float32")
    gan.compile()
    gan.train_step(batch)
    assert set(taken) == set(Stream) - {Stream.TEST_LATENT}


def test_a_latent_does_not_depend_on_the_classes_of_its_batch(tiny_preset):
    """The words of the labels, as uniform numbers, are in no latent of the same step."""
    gan = ConditionalGAN(tiny_preset, ("a", "b"), seed=5, policy="float32")
    ids = tf.zeros([8], tf.int32)
    labels_key = streams.key(5, tf.constant(0, tf.int64), Stream.CLASS)
    same_words = tf.random.stateless_normal([8, tiny_preset.latent_dim], labels_key).numpy()
    for stream in (Stream.DISCRIMINATOR_LATENT, Stream.GENERATOR_LATENT):
        correlation = np.corrcoef(same_words.ravel(), gan._latents(ids, stream).numpy().ravel())
        assert abs(correlation[0, 1]) < 0.3


def test_the_numbers_of_streams_never_change():
    """Otherwise the same seed would give other images and other figures than before."""
    assert [*Stream] == [*range(8)]
    assert [*ClassifierStream] == [1, 5, 6]
    assert [*GenerationStream] == [0x7061696E]
    numbers = [0, 1, *range(10, 16), *range(20, 23), 30, *range(40, 44), 0x7574696C]
    assert [*EvaluationStream] == numbers
