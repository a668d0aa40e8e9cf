"""The fused Adam: Keras' own, step for step."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.optimizers import FusedAdam


def moved(optimizer_class, *, beta_1, compiled=False):
    """A matrix and an embedding after steps along gradients that shrink; all of their state."""
    layer = keras.layers.Embedding(5, 3)
    layer.build()
    layer.embeddings.assign(np.linspace(-1, 1, 15).reshape(5, 3))
    matrix = keras.Variable(np.linspace(-2, 2, 8).reshape(4, 2), dtype="float32")
    variables = [matrix, layer.embeddings]
    optimizer = optimizer_class(1e-2, beta_1=beta_1, beta_2=0.99)
    optimizer.build(variables)

    @tf.function(jit_compile=compiled)
    def step(scale):
        with tf.GradientTape() as tape:
            rows = layer(tf.constant([1, 3, 3]))
            loss = scale * (tf.reduce_sum(tf.sin(matrix.value)) + tf.reduce_sum(tf.square(rows)))
        optimizer.apply(tape.gradient(loss, variables), variables)

    for number in range(5):
        optimizer.variables[1].assign(1e-2 / (1 + number))
        step(tf.constant(1.0 / (1 + number)))
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("beta_1", [0.0, 0.9])
def test_steps_are_those_of_keras(beta_1, compiled):
    found = moved(FusedAdam, beta_1=beta_1, compiled=compiled)
    expected = moved(keras.optimizers.Adam, beta_1=beta_1)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
