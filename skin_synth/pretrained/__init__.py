"""Generators that come with the package: NAME/1/ below this directory is a SavedModel each.

They are read by `tf.saved_model.load` alone: no code of the networks is needed.
"""

from skin_synth.pretrained.loading import Pretrained, known_names, load_pretrained
from skin_synth.pretrained.packing import pack

__all__ = ["Pretrained", "known_names", "load_pretrained", "pack"]
