"""Options of a study are checked when they are made."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.utility.options import UtilityOptions, default_steps
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seeds": 1}, "needs two seeds or more to .* a gain from luck, got 1; 5 are"),
        ({"steps": 0}, "steps must be 1 or more, got 0"),
        ({"pool": 0}, "pool must be 1 or more, got 0"),
        ({"views": 0}, "views must be 1 or more, got 0"),
        ({"replicates": 10}, "replicates must be 100 or more, got 10"),
        ({"ratios": (0.0,)}, "ratios must be numbers above 0"),
    ],
)
def test_options_out_of_range_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        UtilityOptions(**changed)


@pytest.mark.parametrize(("images", "steps"), [(10, 300), (6400, 1500), (10**6, 2000)])
def test_steps_follow_the_size_of_the_data(images, steps):
    assert default_steps(images, 64) == steps
