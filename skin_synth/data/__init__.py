"""Batches of images from a data set directory, each a pure function of (seed, step)."""

from skin_synth.data.painted import painted_dataset, painted_requests
from skin_synth.data.pipeline import LabelledImages, batches, load_split, mix

__all__ = [
    "LabelledImages",
    "batches",
    "load_split",
    "mix",
    "painted_dataset",
    "painted_requests",
]
