"""The generator behind TF Serving: its export, and a client."""

from skin_synth.saved_model.export import export
from skin_synth.serving.client import Client
from skin_synth.serving.transports import ServingError

__all__ = ["Client", "ServingError", "export"]
