"""Networks: shapes, policies, which row depends on what, configuration."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.networks import Discriminator, Generator


def generator(**changes):
    options = {"widths": (16, 8, 8), "latent_dim": 8, "embedding_dim": 4, "num_classes": 3}
    return Generator(**{**options, **changes})


def discriminator(**changes):
    options = {"widths": (8, 16), "image_size": 16, "num_classes": 3, "features": 32}
    return Discriminator(**{**options, **changes})


LATENTS = np.random.default_rng(1).standard_normal((4, 8), np.float32)
LABEL_IDS = np.array([0, 1, 2, 0])


@pytest.mark.parametrize("make", [generator, discriminator])
def test_the_seed_fixes_the_weights(make):
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    pairs = zip(first.get_weights(), other.get_weights(), strict=True)
    assert all(not np.allclose(a, b) for a, b in pairs if a.ndim == 4)


def test_layers_of_one_shape_start_with_different_weights():
    kernels = [up.kernel.numpy() for up in generator(widths=(8, 8, 8)).ups]
    assert not np.allclose(kernels[0], kernels[1])


def test_class_embeddings_start_at_unit_scale():
    network = generator(num_classes=50, embedding_dim=64)
    assert np.std(network.embedding.embeddings) == pytest.approx(1.0, abs=0.05)


def test_both_networks_depend_on_the_class():
    one_latent = tf.repeat(LATENTS[:1], 3, axis=0)
    images = generator()((one_latent, LABEL_IDS[:3])).numpy()
    logits = discriminator()((tf.repeat(images[:1], 3, axis=0), LABEL_IDS[:3])).numpy()
    assert not np.allclose(images[0], images[1])
    assert len(np.unique(logits)) == 3


@pytest.mark.parametrize("mapping_layers", [1, 3])
def test_a_mapping_network_lets_the_latent_act_differently_in_each_class(mapping_layers):
    rows = [(LATENTS, np.full(4, label)) for label in range(3)]
    plain = [generator().condition(*of_class).numpy() for of_class in rows]
    mixed = [
        generator(mapping_layers=mapping_layers).condition(*of_class).numpy() for of_class in rows
    ]
    # Without it, two latents differ by the same vector in all classes.
    for label in (1, 2):
        np.testing.assert_array_equal(plain[label][1] - plain[label][0], plain[0][1] - plain[0][0])
        assert np.abs((mixed[label][1] - mixed[label][0]) - (mixed[0][1] - mixed[0][0])).max() > 0.1


def test_a_mapping_network_keeps_the_scale_of_the_condition():
    latents = np.random.default_rng(2).standard_normal((256, 64), np.float32)
    network = generator(latent_dim=64, embedding_dim=64, mapping_layers=4)
    condition = network.condition(latents, np.arange(256) % 3).numpy()
    assert condition.shape == (256, 128)
    assert 0.5 < np.sqrt(np.mean(condition**2)) < 2


def test_a_logit_depends_on_its_own_row_only():
    network, images = discriminator(), tf.random.stateless_uniform([4, 16, 16, 3], [1, 1])
    together = network((images, LABEL_IDS))
    alone = [network((images[i : i + 1], LABEL_IDS[i : i + 1]))[0] for i in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_generator_in_inference_does_not_depend_on_the_batch():
    network = generator()
    together = network((LATENTS, LABEL_IDS), training=False)
    alone = network((LATENTS[2:3], LABEL_IDS[2:3]), training=False)
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)


def test_kernels_spread_once_are_those_of_all_stages():
    network, rows = generator(), (LATENTS, LABEL_IDS)
    before = network(rows).numpy()
    with network.kernels_spread_once():
        for up in network.ups:
            up.kernel.assign(tf.zeros_like(up.kernel))
        np.testing.assert_allclose(network(rows), before, rtol=1e-4, atol=1e-6)
    assert np.abs(network(rows) - before).max() > 0.01
