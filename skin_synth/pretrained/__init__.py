"""Generators that distributions such as `skin-synth-ham10000` bring, and exported ones.

Each is a SavedModel, which `tf.saved_model.load` reads without the code of the networks.
"""

from skin_synth.pretrained.loading import (
    Pretrained,
    known_names,
    load_exported,
    load_pretrained,
)
from skin_synth.pretrained.packing import pack

__all__ = ["Pretrained", "known_names", "load_exported", "load_pretrained", "pack"]
