"""Measurements of speed and quality; run each as `python -m benchmarks.NAME`. Not installed."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import skin_synth  # noqa: F401 - switches oneDNN on, so it comes before TensorFlow
