"""Processes of tests in which TensorFlow sees this machine's CPU as several devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SMALL = {
    "name": "test-16",
    "image_size": 16,
    "generator_widths": (16, 8, 8),
    "discriminator_widths": (8, 16),
    "latent_dim": 8,
    "embedding_dim": 4,
    "batch_size": 16,
    "schedule_images": 2_000,
}
"""The preset of these processes."""
ROOT = Path(__file__).parents[3]
PREAMBLE = """
import json, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES)
from skin_synth.training import distribution, fit_loop
from skin_synth.data.pipeline import LabelledImages, batches
from skin_synth.models.gan import ConditionalGAN
from skin_synth.presets import Preset, Ramp
PRESET = Preset(**SMALL)
NAMES = ("a", "b", "c")
rng = np.random.default_rng(0)
labels = np.arange(60) % 3
images = rng.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
split = LabelledImages(images, labels, ("x",) * 60, ("x",) * 60, NAMES)

def source(**options):
    return batches(split, batch_size=16, seed=0, exponent=0.5, **options)

def compiled(strategy, policy="float32"):
    with distribution.scope(strategy):
        # A seed by which no activation comes so near to the kink of leaky ReLU that rounding takes
        # it across: the gradient penalty jumps there.
        gan = ConditionalGAN(PRESET, NAMES, seed=1, policy=policy)
        gan.compile()
    return gan
"""
"""What such a process begins with: a data set of noise, a small preset, a compiled GAN."""


def run_with_devices(code: str, *arguments: object, devices: int = 2) -> Any:
    """Runs code after `PREAMBLE` in a process of its own; returns what it printed as JSON."""
    script = PREAMBLE.replace("DEVICES", str(devices)).replace("SMALL", repr(SMALL)) + code
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
