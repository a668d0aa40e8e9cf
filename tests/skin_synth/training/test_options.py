"""Options of training: values out of range and contradictions are refused."""

from __future__ import annotations

import pytest

from skin_synth.training.options import TrainingOptions
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 0}, "--images must be above 0, got 0"),
        ({"minutes": -1.0}, "--minutes must be above 0, got -1.0"),
        ({"schedule_images": -5}, "--schedule_images must be above 0, got -5"),
        ({"schedule_minutes": 0.0}, "--schedule_minutes must be above 0, got 0.0"),
        ({"keep": 0}, "--keep must be above 0, got 0"),
        (
            {"schedule_images": 9, "schedule_minutes": 1.0},
            "--schedule_images or --schedule_minutes, got both",
        ),
        ({"schedule_images": 80, "overrides": ["schedule_images=80"]}, "given twice"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        TrainingOptions(**options)


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        ({}, (None, None)),
        ({"images": 9}, (9, None)),
        ({"minutes": 2.0}, (None, 2.0)),
        ({"images": 9, "minutes": 2.0}, (None, 2.0)),
        ({"images": 9, "schedule_images": 70}, (70, None)),
        ({"images": 9, "schedule_minutes": 3.0}, (None, 3.0)),
        ({"images": 9, "overrides": ["gamma=1", "schedule_images=5"]}, (None, None)),
    ],
    ids=str,
)
def test_the_schedules_are_as_long_as_the_training_unless_their_length_is_given(options, schedule):
    given = TrainingOptions(**options)
    fitted = given.with_schedule_of_limits()
    assert (fitted.schedule_images, fitted.schedule_minutes) == schedule
    assert (fitted.images, fitted.minutes) == (given.images, given.minutes)
