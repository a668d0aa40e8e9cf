"""The part of tensorflow-gan that still works: its distances between activations.

`import tensorflow_gan` fails since TensorFlow 2.16, which dropped `tf.estimator`. The module with
the metrics does not need it, so only that module is imported, below empty parent packages.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import sys
import types
from pathlib import Path

import numpy as np
import tensorflow as tf

_LOG = logging.getLogger("skin_synth")

TFGAN_PACKAGE = "tensorflow_gan"
TFGAN_PARENTS = (TFGAN_PACKAGE, f"{TFGAN_PACKAGE}.python", f"{TFGAN_PACKAGE}.python.eval")


@functools.cache
def classifier_metrics() -> types.ModuleType:
    """Imports the module; restores all entries of tensorflow-gan in `sys.modules` afterwards.

    Raises:
        ImportError: tensorflow-gan is not installed.
    """
    before = _take_out()
    try:
        root = _root()
        for name in TFGAN_PARENTS:
            parent = types.ModuleType(name)
            parent.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
            sys.modules[name] = parent
        return importlib.import_module(f"{TFGAN_PARENTS[-1]}.classifier_metrics")
    finally:
        _take_out()
        sys.modules.update(before)


@functools.cache
def available() -> bool:
    """Returns whether tensorflow-gan can be used; if not, a warning says why."""
    try:
        classifier_metrics()
    except Exception as error:  # whatever a newer TensorFlow makes of its imports
        _LOG.warning(
            "tensorflow-gan cannot be imported (%s: %s): the Fréchet and the kernel distance are "
            "computed without it",
            *(type(error).__name__, error),
        )
        return False
    return True


def _root() -> Path:
    """Finds the directory of tensorflow-gan without importing it."""
    spec = importlib.util.find_spec(TFGAN_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{TFGAN_PACKAGE} is not installed: pip install tensorflow-gan")
    return Path(spec.submodule_search_locations[0])


def _take_out() -> dict[str, types.ModuleType]:
    """Removes tensorflow-gan from `sys.modules`; returns the removed entries."""
    names = [name for name in sys.modules if name.split(".")[0] == TFGAN_PACKAGE]
    return {name: sys.modules.pop(name) for name in names}


def frechet(real: np.ndarray, fake: np.ndarray) -> float:
    """Computes the Fréchet distance in float64: float[n, d], float[m, d] to a number."""
    distance = classifier_metrics().frechet_classifier_distance_from_activations
    return float(distance(tf.constant(real, tf.float64), tf.constant(fake, tf.float64)))


def kernel(real: np.ndarray, fake: np.ndarray) -> float:
    """Computes the kernel distance in one block, in float64: float[n, d], float[m, d]."""
    distance = classifier_metrics().kernel_classifier_distance_from_activations
    both = tf.constant(real, tf.float64), tf.constant(fake, tf.float64)
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # users cannot follow TensorFlow's advice about deprecated calls
    try:
        return float(distance(*both, max_block_size=max(len(real), len(fake))))
    finally:
        logger.setLevel(level)
