"""Procedural dermoscopy-like images: the data set of demo and tests.

The seven classes differ in form, not in colour (`docs/phantoms.md`). No phantom shows a disease.
"""

from skin_synth.phantoms.folder import Photograph, plan, write_folder
from skin_synth.phantoms.lesions import CLASS_NAMES
from skin_synth.phantoms.photograph import render

__all__ = ["CLASS_NAMES", "Photograph", "plan", "render", "write_folder"]
