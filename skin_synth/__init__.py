"""Skin Synth: conditional GANs for skin images, and honest reports on these images.

The public names are loaded on first use, so `import skin_synth` is fast and loads no TensorFlow.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
from typing import TYPE_CHECKING, Any

from skin_synth import keras_objects

if TYPE_CHECKING:
    from skin_synth.data.synthetic import synthetic_dataset, synthetic_requests
    from skin_synth.models.gan import ConditionalGAN
    from skin_synth.presets import PRESETS, Preset, get_preset
    from skin_synth.pretrained import load_exported, load_pretrained
    from skin_synth.training.runs import load_run

# On x86 CPUs without AVX512-VNNI TensorFlow leaves oneDNN off by default, and a training step of
# derm-32 takes 1.4 times as long (docs/study/speed.md). TensorFlow reads this variable at its
# import.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

keras_objects.register()

__all__ = [
    "PRESETS",
    "ConditionalGAN",
    "Preset",
    "__version__",
    "get_preset",
    "load_exported",
    "load_pretrained",
    "load_run",
    "synthetic_dataset",
    "synthetic_requests",
]

_MODULES = {
    "ConditionalGAN": "skin_synth.models.gan",
    "PRESETS": "skin_synth.presets",
    "Preset": "skin_synth.presets",
    "get_preset": "skin_synth.presets",
    "load_exported": "skin_synth.pretrained",
    "load_pretrained": "skin_synth.pretrained",
    "load_run": "skin_synth.training.runs",
    "synthetic_dataset": "skin_synth.data.synthetic",
    "synthetic_requests": "skin_synth.data.synthetic",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("skin-synth")
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'skin_synth' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
