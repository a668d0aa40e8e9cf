"""Two devices share a step of one preset under each mixed policy; training's tests have float32."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.models.hardware import POLICIES
from tests.skin_synth.training.two_devices import run_with_devices

pytestmark = pytest.mark.slow

TWO_DEVICES = """
def after_three_steps(policy):
    gan = compiled(strategy, policy)
    fit_loop.fit(gan, source, strategy, epochs=1, steps_per_epoch=3)
    networks = gan.generator, gan.ema_generator, gan.discriminator
    copies = [
        [np.array(copy) for copy in strategy.experimental_local_results(v.value)]
        for network in networks for v in network.variables
    ]
    return {
        "steps": gan.images_seen // PRESET.batch_size,
        "losses": [float(mean.result()) for mean in gan.means.values()],
        "finite": all(bool(np.isfinite(np.array(v)).all()) for v in gan.variables),
        "alike": all(bool(np.array_equal(first, second)) for first, second in copies),
    }

strategy = distribution.make_strategy(2)
print(json.dumps({policy: after_three_steps(policy) for policy in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def on_two_devices():
    return run_with_devices(TWO_DEVICES, *POLICIES[1:])


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_two_devices(policy, on_two_devices):
    found = on_two_devices[policy]
    assert (found["steps"], found["finite"], found["alike"]) == (3, True, True)
    assert np.isfinite(found["losses"]).all()
