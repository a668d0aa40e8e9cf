"""What Keras registers under our names comes back from its configuration."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.layers import DownsamplingConv, ModulatedNorm, UpsamplingConv
from skin_synth.models.networks import Discriminator, Generator
from skin_synth.models.optimizers import FusedAdam

KERNEL = {"kernel_initializer": keras.initializers.HeNormal(seed=3)}
NETWORK = {"num_classes": 3, "name": "net", "dtype": "mixed_bfloat16"}
REGISTERED = {
    "Generator": lambda: Generator(widths=(16, 8), latent_dim=8, embedding_dim=4, **NETWORK),
    "Discriminator": lambda: Discriminator(widths=(8,), image_size=8, features=32, **NETWORK),
    "ModulatedNorm": lambda: ModulatedNorm(momentum=0.9),
    "UpsamplingConv": lambda: UpsamplingConv(4, **KERNEL),
    "DownsamplingConv": lambda: DownsamplingConv(4, **KERNEL),
    "FusedAdam": lambda: FusedAdam(3e-4, beta_1=0.0, beta_2=0.99),
}


@pytest.mark.parametrize("name", REGISTERED)
def test_it_comes_back_under_its_name(name):
    made = REGISTERED[name]()
    config = keras.saving.serialize_keras_object(made)
    again = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == f"skin_synth>{name}"
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    for ours, theirs in zip(weights(made), weights(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def weights(made):
    """Of a network, or of a layer once it is called."""
    if isinstance(made, UpsamplingConv | DownsamplingConv):
        made(tf.ones([1, 4, 4, 3]))
    return [] if isinstance(made, FusedAdam) else made.get_weights()
