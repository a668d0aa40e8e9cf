"""What a policy may compute in 16 bits, and what is float32 under every policy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.cases import BATCH, EVERY_CASE, batch_of


@pytest.mark.parametrize("case", EVERY_CASE)
def test_only_the_convolutions_between_are_in_16_bits(case, one_step):
    gan, policy = one_step(case).gan, case[1]
    _, labels = batch_of(gan.preset)
    latents = tf.random.stateless_normal([BATCH, gan.latent_dim], [1, 2])
    image = gan.generator((latents, labels), training=True)
    logits = gan.discriminator((image, labels))
    assert (image.shape, logits.shape) == ((BATCH, gan.image_size, gan.image_size, 3), (BATCH,))
    assert (image.dtype, logits.dtype) == (tf.float32, tf.float32)
    assert np.abs(image).max() <= 1
    low = policy.removeprefix("mixed_")
    assert (gan.generator.compute_dtype, gan.discriminator.compute_dtype) == (low, low)
    assert gan.generator.ups[0](tf.ones([1, 4, 4, gan.preset.generator_widths[0]])).dtype == low
    heads = (gan.generator.to_rgb, gan.discriminator.hidden, gan.discriminator.unconditional)
    assert {layer.compute_dtype for layer in heads} == {"float32"}
    weights = (*gan.generator.variables, *gan.discriminator.variables, *gan.trainable_variables)
    assert {variable.dtype for variable in weights} == {"float32"}
    assert gan.ema_generator.dtype_policy.name == "float32"
    assert gan._augmented(image, 2, tf.constant(0.5)).dtype == tf.float32


@pytest.mark.parametrize("case", EVERY_CASE)
def test_only_float16_scales_both_losses(case, one_step):
    gan, policy = one_step(case).gan, case[1]
    for optimizer in (gan.optimizer, gan.discriminator_optimizer):
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scales == (policy == "mixed_float16")
