"""Generators that distributions such as `skin-synth-ham10000` bring, and exported ones.

Each is a SavedModel, which `tf.saved_model.load` reads without the code of the networks. The names
load on first use, because the list of generators needs no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_synth.pretrained.catalogue import descriptions, known_names
    from skin_synth.pretrained.loading import Pretrained, load_exported, load_pretrained
    from skin_synth.pretrained.packing import pack

__all__ = ["Pretrained", "descriptions", "known_names", "load_exported", "load_pretrained", "pack"]

_MODULES = {
    "Pretrained": "loading",
    "descriptions": "catalogue",
    "known_names": "catalogue",
    "load_exported": "loading",
    "load_pretrained": "loading",
    "pack": "packing",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {__all__}")
