"""A forecast has round numbers, and times work after it was compiled."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.utility import forecast
from skin_synth.evaluation.utility.forecast import Forecast, measure_speed
from tests.skin_synth.evaluation.utility.conftest import ColourMeans, coloured_split, colours


def test_the_lines_have_round_numbers():
    assert Forecast(1234, 9_999_999, 64, 14_000, 12.34).lines() == [
        "synthetic images 14,000",
        "trainings        at most 1,234",
        "steps            at most 9,999,999 of 64 images",
        "time             12.3 h on this machine",
    ]


def test_speeds_are_of_second_calls_and_of_one_step_or_image(monkeypatch):
    """The first call of each kind takes ten times as long, as a compilation does."""
    calls = dict.fromkeys(("train", "predict", "generate"), 0)
    clock = [0.0]
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: clock[0])

    def wait(kind, seconds):
        clock[0] += seconds if calls[kind] else 10 * seconds
        calls[kind] += 1

    class Slow(ColourMeans):
        def train(self, *arguments, **others):
            wait("train", 0.12)
            return super().train(*arguments, **others)

        def log_probabilities(self, *arguments):
            wait("predict", 0.064)
            return super().log_probabilities(*arguments)

    class Generator:
        class_names = ("red", "green", "blue")

        def generate(self, labels, seeds, *, truncation):
            wait("generate", 0.064)
            return colours(np.asarray(labels), 1)

    found = measure_speed(Slow(), coloured_split((40, 30, 30), 1), Generator())
    assert found.step == pytest.approx(0.02)
    assert found.prediction == pytest.approx(0.001)
    assert found.synthetic == pytest.approx(0.001)
    assert set(calls.values()) == {2}
