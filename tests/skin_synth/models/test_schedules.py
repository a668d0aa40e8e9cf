"""Schedules: their ends, their middle, and what a half-life means."""

from __future__ import annotations

import pytest
import tensorflow as tf

from skin_synth.models import schedules
from skin_synth.presets import Ramp


@pytest.mark.parametrize(
    ("seen", "expected"), [(0, 2.0), (250, 1.0 + 0.5**0.5), (500, 1.0), (1000, 0.0), (5000, 0.0)]
)
def test_ramp_follows_half_a_cosine(seen, expected):
    value = schedules.ramp(Ramp(2.0, 0.0), tf.constant(float(seen)), 1000)
    assert float(value) == pytest.approx(expected, abs=1e-6)


def test_a_weight_is_half_forgotten_after_the_half_life():
    decay = schedules.ema_decay(tf.constant(1e9), batch_size=32, half_life=3200.0, warm_up=0.05)
    assert float(decay) ** 100 == pytest.approx(0.5, rel=1e-5)


def test_the_first_step_replaces_the_untrained_average():
    decay = schedules.ema_decay(tf.constant(0.0), batch_size=32, half_life=3200.0, warm_up=0.05)
    assert float(decay) == 0.0


def test_the_half_life_grows_with_the_images_seen():
    decays = [
        float(schedules.ema_decay(tf.constant(seen), batch_size=32, half_life=1e4, warm_up=0.05))
        for seen in (1e3, 1e4, 1e5, 1e6, 1e7)
    ]
    assert decays == sorted(decays)
    assert decays[-1] == decays[-2]
