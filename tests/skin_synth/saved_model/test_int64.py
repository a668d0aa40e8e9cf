"""Whole numbers of any type become int64; other values are refused."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.saved_model.int64 import as_int64
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize("values", [[], [1, -2], np.array([3], np.uint8), [[1, 2], [3, 4]]])
def test_whole_numbers_become_int64(values):
    found = as_int64(values, "seeds")
    assert found.dtype == np.int64
    assert found.tolist() == np.asarray(values).tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5], "seeds must be whole numbers that fit 64 bits, got float64"),
        (["1"], "seeds must be whole numbers"),
        ([True], "got bool"),
        ([2**64], "seeds must be whole numbers that fit 64 bits"),
        ([2**63], "seeds must fit int64, got 9223372036854775808"),
    ],
)
def test_other_values_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        as_int64(values, "seeds")
