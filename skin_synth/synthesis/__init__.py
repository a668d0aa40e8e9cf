"""New images: of one class into a folder, or to balance a data set; and the proof of both."""

from skin_synth.synthesis.balancing import balance
from skin_synth.synthesis.generation import generate_images
from skin_synth.synthesis.verification import verify_manifest

__all__ = ["balance", "generate_images", "verify_manifest"]
