"""Measurements of speed and quality; run each as `python -m benchmarks.NAME`. Not installed."""
