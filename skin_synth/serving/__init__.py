"""The generator behind TF Serving."""

from skin_synth.serving.export import export

__all__ = ["export"]
