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
from skin_synth.evaluation.metrics.frechet import frechet_distance
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from tests.features import FEATURE_CASES


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


@pytest.fixture
def without_tfgan(monkeypatch):
    """tensorflow-gan cannot be imported; afterwards it is asked for anew."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    tfgan.classifier_metrics.cache_clear()
    tfgan.available.cache_clear()
    yield
    tfgan.available.cache_clear()


@pytest.mark.parametrize("case", FEATURE_CASES)
@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_both_distances_are_the_same_without_it(distance, case, request, caplog):
    real, fake = FEATURE_CASES[case]
    expected = distance(real, fake)
    assert tfgan.available()
    request.getfixturevalue("without_tfgan")
    assert not tfgan.available()
    found = distance(real, fake)
    assert "tensorflow_gan is not installed" in caplog.text
    scale = np.square(real.astype(np.float64)).sum(axis=1).mean()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)


def test_any_error_of_its_import_counts(monkeypatch, caplog):
    def fail():
        raise AttributeError("module 'tensorflow' has no attribute 'estimator'")

    tfgan.available.cache_clear()
    monkeypatch.setattr(tfgan, "classifier_metrics", fail)
    rows = np.random.default_rng(3).normal(size=(20, 4))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    assert kernel_distance(rows, rows + 1) > 0
    assert caplog.text.count("no attribute 'estimator'") == 1
    tfgan.available.cache_clear()


def test_the_logger_keeps_its_level():
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        tfgan.kernel(np.eye(3), np.eye(3))
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(level)
