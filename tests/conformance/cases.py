"""The list that every property is tested over: shipped presets, of reduced width, and policies."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.hardware import POLICIES
from skin_synth.presets import PRESETS, get_preset

NAMES = ("a", "b", "c")
BATCH = 4
SHIPPED = tuple(name for name in PRESETS if name.startswith("derm-") and not name.endswith("-gpu"))
"""Those for GPUs have the same networks with more channels."""


def is_slow(name):
    """Larger images take longer and run the same lines."""
    return () if name == "derm-32" else pytest.mark.slow


EVERY_PRESET = [pytest.param(name, marks=is_slow(name)) for name in SHIPPED]
EVERY_CASE = [
    pytest.param((name, policy), marks=is_slow(name), id=f"{name}-{policy}")
    for name in SHIPPED
    for policy in POLICIES
]


def narrow(name):
    """The preset with a few channels, four images per batch and penalties on all of them."""
    preset = get_preset(name)
    widths = {
        field: tuple(max(4, width // 64) for width in getattr(preset, field))
        for field in ("generator_widths", "discriminator_widths")
    }
    sizes = {
        "latent_dim": 8,
        "embedding_dim": 4,
        "mapping_layers": 1,
        "batch_size": BATCH,
        "penalty_share": 1.0,
    }
    return dataclasses.replace(preset, name=f"{name}-narrow", **widths, **sizes)


def batch_of(preset):
    shape = (BATCH, preset.image_size, preset.image_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return tf.constant(images), tf.constant([0, 1, 2, 0])


def compiled(name, policy):
    gan = ConditionalGAN(narrow(name), NAMES, policy=policy)
    gan.compile(run_eagerly=True)  # test_gan.py traces whole steps; here many networks take one
    return gan
