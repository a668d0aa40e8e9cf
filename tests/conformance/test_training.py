"""Every preset trains under every policy."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.models.gan import METRICS
from tests.conformance.cases import BATCH, EVERY_CASE


@pytest.mark.parametrize("case", EVERY_CASE)
def test_a_step_is_finite_and_changes_the_weights(case, one_step):
    done = one_step(case)
    assert set(done.history) == set(METRICS)
    assert all(np.isfinite(figures).all() for figures in done.history.values())
    assert done.gan.images_seen == BATCH
    pairs = zip(done.first_weights, done.gan.generator.get_weights(), strict=True)
    assert any(not np.array_equal(before, after) for before, after in pairs)
