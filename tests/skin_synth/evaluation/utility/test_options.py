"""Options of a study are checked when they are made."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.utility.options import UtilityOptions
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seeds": 1}, "needs two seeds or more to .* a gain from luck, got 1; 5 are"),
        ({"steps": 9}, "steps must be 10 or more, got 9"),
        ({"batch_size": 1}, "batch_size must be 2 or more, got 1"),
        ({"pool": 0}, "pool must be 1 or more, got 0"),
        ({"replicates": 10}, "replicates must be 100 or more, got 10"),
        ({"policy": "mixed_float16"}, "policy must be one of float32, .*, got 'mixed_float16'"),
        ({"classifiers": ()}, "classifiers must be different ones of resnet, .* got none"),
        ({"classifiers": ("resnet", "vgg")}, "of resnet, finetuned, small, got resnet, vgg"),
        ({"classifiers": ("small", "small")}, "must be different ones"),
        ({"classifiers": ("finetuned",), "weights": "none.h5"}, "no file at none.h5"),
    ],
)
def test_options_out_of_range_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        UtilityOptions(**changed)
