"""What tests do with trained runs."""

from __future__ import annotations

import numpy as np


def state(run):
    """All weights and moments of a run, as the next step would find them."""
    return [variable.numpy() for variable in run.gan.state]


def assert_same_state(first, second):
    for a, b in zip(state(first), state(second), strict=True):
        np.testing.assert_array_equal(a, b)
