"""Every preset (at reduced width) under every policy: fit, checkpoint, SavedModel, two devices.

One list, after sonnet's conformance tests. What a row shares is done once; the exported network is
float32 under every policy, so that each preset is exported once. Strategies run in processes of
their own, one preset under each policy: how a step is shared depends on no width. float32 is in
test_distribution.py.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.gan import METRICS, ConditionalGAN
from skin_synth.models.hardware import POLICIES
from skin_synth.presets import PRESETS, get_preset
from tests.skin_synth.training.two_devices import run_with_devices

NAMES = ("a", "b", "c")
SHIPPED = tuple(name for name in PRESETS if name.startswith("derm-"))
LIST = list(itertools.product(SHIPPED, POLICIES))
BATCH = 4


def narrow(name, **changes):
    """The preset with a few channels, four images per batch and penalties on all of them."""
    preset = get_preset(name)
    return dataclasses.replace(
        preset,
        name=f"{name}-narrow",
        generator_widths=tuple(max(4, width // 64) for width in preset.generator_widths),
        discriminator_widths=tuple(max(4, width // 64) for width in preset.discriminator_widths),
        latent_dim=8,
        embedding_dim=4,
        batch_size=BATCH,
        penalty_share=1.0,
        **changes,
    )


def batch_of(preset):
    rng = np.random.default_rng(0)
    side = preset.image_size
    images = rng.integers(0, 256, (BATCH, side, side, 3), dtype=np.uint8)
    return tf.constant(images), tf.constant([0, 1, 2, 0])


def compiled(preset, policy):
    gan = ConditionalGAN(preset, NAMES, policy=policy)
    # Graphs of whole steps are what test_gan.py traces; here many networks take a step each.
    gan.compile(run_eagerly=True)
    return gan


def state(gan):
    optimizers = (gan.optimizer, gan.discriminator_optimizer)
    return [v.numpy() for v in (*gan.variables, *(v for o in optimizers for v in o.variables))]


@pytest.mark.parametrize(("name", "policy"), LIST)
def test_fit_and_checkpoint(name, policy, tmp_path):
    preset = narrow(name)
    gan = compiled(preset, policy)
    before = gan.generator.get_weights()
    data = tf.data.Dataset.from_tensors(batch_of(preset))
    history = gan.fit(data, epochs=1, verbose=0, shuffle=False).history
    assert set(history) == set(METRICS)
    assert all(np.isfinite(values).all() for values in history.values())
    assert gan.images_seen == BATCH
    after = gan.generator.get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    gan.save_weights(tmp_path / "x.weights.h5")
    again = compiled(preset, policy)
    again.load_weights(tmp_path / "x.weights.h5")
    for a, b in zip(state(gan), state(again), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", SHIPPED)
def test_saved_model(name, tmp_path):
    gan = compiled(narrow(name), "mixed_bfloat16")
    served = tf.saved_model.load(str(gan.export(tmp_path / "model"))).signatures["generate"]
    ids, seeds = tf.constant([0, 2], tf.int64), tf.constant([5, 6], tf.int64)
    images = served(label_id=ids, seed=seeds, truncation=tf.ones([2]))["image"].numpy()
    np.testing.assert_array_equal(images, gan.generate([0, 2], [5, 6]))


TWO_DEVICES = """
def after_three_steps(policy):
    gan = compiled(strategy, policy)
    distribution.fit(gan, source, strategy, epochs=1, steps_per_epoch=3)
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
    assert found["steps"] == 3
    assert np.isfinite(found["losses"]).all()
    assert found["finite"]
    assert found["alike"]
