"""A GAN of each case after one step, shared by the properties."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest
import tensorflow as tf

from tests.conformance.cases import batch_of, compiled


@pytest.fixture(scope="session")
def one_step():
    """Gives the GAN of a case after one step, its first weights and its history."""

    @functools.cache
    def take(case):
        gan = compiled(*case)
        first = gan.generator.get_weights()
        data = tf.data.Dataset.from_tensors(batch_of(gan.preset))
        history = gan.fit(data, epochs=1, verbose=0, shuffle=False).history
        return SimpleNamespace(gan=gan, first_weights=first, history=history)

    return take
