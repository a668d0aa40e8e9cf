"""The generator behind TF Serving: its export, and a client.

The REST client loads no TensorFlow; `export` loads it on first use.
"""

from typing import Any

from skin_synth.serving.address import Access
from skin_synth.serving.client import Client
from skin_synth.serving.errors import ServingError

__all__ = ["Access", "Client", "ServingError", "export"]


def __getattr__(name: str) -> Any:
    if name != "export":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")
    from skin_synth.saved_model.export import export

    return export
