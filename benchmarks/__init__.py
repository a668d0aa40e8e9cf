"""Measurements of speed and quality; run each as `python -m benchmarks.NAME`. Not installed."""

import skin_synth  # noqa: F401 - before a benchmark imports TensorFlow: it switches oneDNN on
