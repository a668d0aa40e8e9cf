"""Saved weights hold all state of a training, under every preset and policy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.cases import EVERY_CASE, compiled


@pytest.mark.parametrize("case", EVERY_CASE)
def test_all_state_comes_back(case, one_step, tmp_path):
    gan, again = one_step(case).gan, compiled(*case)
    gan.save_weights(tmp_path / "x.weights.h5")
    again.load_weights(tmp_path / "x.weights.h5")
    for saved, restored in zip(gan.state, again.state, strict=True):
        np.testing.assert_array_equal(saved.numpy(), restored.numpy())
