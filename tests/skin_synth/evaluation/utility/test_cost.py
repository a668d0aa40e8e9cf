"""The cost of a study is announced before it starts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.utility import cost
from skin_synth.evaluation.utility.cost import measure_cost
from skin_synth.evaluation.utility.forecast import Speed
from skin_synth.evaluation.utility.options import UtilityOptions
from tests.origins import make_origin
from tests.skin_synth.evaluation.utility.conftest import ColourMeans
from tfrecords_tools.errors import InputError


@pytest.fixture
def measured(make_run, large_phantom_data, monkeypatch):
    class Quick(ColourMeans):
        def train(self, state, pool, method, **others):
            return state, np.zeros(1)

        def log_probabilities(self, state, images):
            return np.zeros((len(images), 7))

    monkeypatch.setattr(cost, "utility_trainer", lambda *_: Quick())
    return lambda options: measure_cost(make_run(), large_phantom_data, options)


def test_trainings_and_steps_are_counted(measured):
    short, long = (measured(UtilityOptions(seeds=2, steps=steps, pool=3)) for steps in (10, 1000))
    # 24 arms with two seeds each, five arms compared with two, three teachers.
    assert short.trainings == long.trainings == 24 * 2 + 5 * 2 + 3
    assert (short.steps, long.steps) == (61 * 10, 61 * 1000)
    assert short.hours > 0
    two = measured(UtilityOptions(seeds=2, steps=10, pool=3, classifiers=("small", "resnet")))
    assert two.trainings == 2 * short.trainings


def test_hours_grow_with_the_time_of_a_step(measured, monkeypatch):
    monkeypatch.setattr(cost, "measure_speed", lambda *_: Speed(0.5, 0.0, 0.0))
    found = measured(UtilityOptions(seeds=2, steps=100, pool=3))
    assert found.hours == pytest.approx(61 * 100 * 0.5 / 3600)
    assert found.lines()[1:] == [
        "trainings        at most 61",
        "steps            at most 6,100 of 64 images",
        "time             51 min on this machine",
    ]


def test_hours_grow_with_predictions_and_synthetic_images(measured, monkeypatch):
    options = UtilityOptions(seeds=2, steps=100, pool=3)
    monkeypatch.setattr(cost, "measure_speed", lambda *_: Speed(0.0, 0.0, 2.0))
    assert measured(options).hours == pytest.approx(2 * measured(options).synthetic / 3600)
    # Seven classes, three images of each, four seeds.
    assert measured(options).synthetic == 7 * 3 * 4
    monkeypatch.setattr(cost, "measure_speed", lambda *_: Speed(0.0, 1.0, 0.0))
    assert measured(options).hours > 0


def test_another_data_set_is_refused(make_run, large_phantom_data):
    run = dataclasses.replace(make_run(), origin=make_origin())
    with pytest.raises(InputError, match="give the data set that it was trained on"):
        measure_cost(run, large_phantom_data, UtilityOptions())
