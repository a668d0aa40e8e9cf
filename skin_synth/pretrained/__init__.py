"""Generators that come with the package: each NAME/1/ in this directory is a SavedModel.

`tf.saved_model.load` reads them without the code of the networks.
"""

from skin_synth.pretrained.loading import (
    Pretrained,
    known_names,
    load_exported,
    load_pretrained,
)
from skin_synth.pretrained.packing import pack

__all__ = ["Pretrained", "known_names", "load_exported", "load_pretrained", "pack"]
