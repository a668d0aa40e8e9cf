"""Batches of images from a data set directory, each a pure function of (seed, step)."""

from skin_synth.data.pipeline import LabelledImages, batches, load_split, mix
from skin_synth.data.synthetic import synthetic_dataset, synthetic_requests

__all__ = [
    "LabelledImages",
    "batches",
    "load_split",
    "mix",
    "synthetic_dataset",
    "synthetic_requests",
]
