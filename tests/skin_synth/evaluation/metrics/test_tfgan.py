"""The adapter imports one module of tensorflow-gan and leaves no trace of the rest."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.evaluation.metrics import tfgan


def leftovers():
    return {name for name in sys.modules if name.split(".")[0] == "tensorflow_gan"}


def test_the_module_table_is_left_as_it_was(monkeypatch):
    metrics = tfgan.classifier_metrics.__wrapped__()
    assert callable(metrics.frechet_classifier_distance_from_activations)
    assert not leftovers()
    before = types.ModuleType("tensorflow_gan")
    monkeypatch.setitem(sys.modules, "tensorflow_gan", before)
    tfgan.classifier_metrics.__wrapped__()
    assert sys.modules["tensorflow_gan"] is before
    assert leftovers() == {"tensorflow_gan"}


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="tensorflow_gan is not installed: pip install"):
        tfgan.classifier_metrics.__wrapped__()


def test_the_logger_keeps_its_level():
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        tfgan.kernel(np.eye(3), np.eye(3))
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(level)
