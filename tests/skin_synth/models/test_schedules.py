"""Schedules: their ends, their middle, and what a half-life means."""

from __future__ import annotations

import dataclasses

import pytest
import tensorflow as tf

from skin_synth.models import schedules
from skin_synth.presets import Ramp, get_preset


@pytest.mark.parametrize(
    ("seen", "expected"), [(0, 2.0), (250, 1.0 + 0.5**0.5), (500, 1.0), (1000, 0.0), (5000, 0.0)]
)
def test_ramp_follows_half_a_cosine(seen, expected):
    value = schedules.ramp(Ramp(2.0, 0.0), tf.constant(float(seen)), 1000)
    assert float(value) == pytest.approx(expected, abs=1e-6)


def decay(seen):
    options = {"batch_size": 32, "half_life": 3200.0, "warm_up": 0.05}
    return float(schedules.ema_decay(tf.constant(seen), **options))


def test_a_weight_is_half_forgotten_after_the_half_life():
    assert decay(1e9) ** 100 == pytest.approx(0.5, rel=1e-5)


def test_the_half_life_grows_from_zero_with_the_images_seen():
    decays = [decay(seen) for seen in (0.0, 1e3, 1e4, 1e5, 1e6)]
    assert decays[0] == 0.0
    assert decays == sorted(decays)
    assert decays[-1] == decays[-2]


@pytest.mark.parametrize(
    ("seen", "expected"), [(0, 0.0), (50, 0.0), (75, 0.5), (100, 1.0), (5000, 1.0)]
)
def test_a_generator_waits_for_half_of_its_warm_up_and_then_learns_more_and_more(seen, expected):
    assert float(schedules.warm_up(tf.constant(float(seen)), 100)) == pytest.approx(expected)


def test_the_generator_has_the_rate_of_the_discriminator_without_a_warm_up():
    found = schedules.values(get_preset("derm-32"), tf.constant(0.0))
    assert float(found.generator_learning_rate) == float(found.learning_rate)
    waiting = dataclasses.replace(get_preset("derm-32"), generator_warm_up=1_000)
    found = schedules.values(waiting, tf.constant(750.0))
    assert float(found.generator_learning_rate) == pytest.approx(0.5 * float(found.learning_rate))
