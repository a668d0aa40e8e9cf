"""The network of an exported generator is the one that was exported."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.gan import ConditionalGAN
from skin_synth.presets import get_preset
from skin_synth.pretrained import load_exported
from skin_synth.pretrained.network import network_of, preset_of
from tfrecords_tools.errors import InputError


@pytest.fixture(scope="module")
def exported(served_version):
    return load_exported(served_version)


def test_it_has_the_weights_and_the_images_of_the_run(exported, tiny_run):
    network = network_of(exported)
    for ours, theirs in zip(network.weights, tiny_run.ema_generator.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    inputs = tf.random.stateless_normal([4, network.latent_dim], [1, 2]), tf.range(4)
    np.testing.assert_array_equal(network(inputs), tiny_run.ema_generator(inputs))


@pytest.mark.parametrize("mapping_layers", [0, 1, 3])
def test_lengths_and_widths_are_read_from_the_weights(tiny_preset, tmp_path, mapping_layers):
    widths = (12, 16, 8, 4)  # 8 + 8 numbers of latent and class are as many as the second width
    chosen = {"latent_dim": 8, "embedding_dim": 8, "mapping_layers": mapping_layers}
    preset = dataclasses.replace(get_preset("derm-32"), generator_widths=widths, **chosen)
    gan = ConditionalGAN(preset, ("a", "b", "c"), policy="float32")
    gan.export(tmp_path / "model")
    assert preset_of(load_exported(tmp_path / "model")) == preset


def test_the_preset_is_that_of_the_size_where_the_name_is_unknown(exported, tiny_preset):
    other = dataclasses.replace(exported.origin, preset_name="of-another-release")
    found = preset_of(dataclasses.replace(exported, origin=other))
    assert found.name == "derm-32"
    assert found.generator_widths == tiny_preset.generator_widths


@dataclasses.dataclass
class Served:
    variables_of_generator: list


def test_other_networks_are_refused(exported):
    odd = Served([tf.Variable(tf.zeros([3, 2]))])
    with pytest.raises(InputError, match="other networks than those of this release"):
        preset_of(dataclasses.replace(exported, model=odd))


def test_weights_of_other_lengths_are_refused(exported):
    weights = [tf.Variable(each) for each in exported.model.variables_of_generator]
    more = dataclasses.replace(exported, model=Served([*weights, tf.Variable(tf.zeros([3]))]))
    with pytest.raises(InputError, match="other networks than those of this release"):
        network_of(more)
