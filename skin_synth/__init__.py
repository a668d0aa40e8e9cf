"""Skin Synth: conditional GANs that paint skin images, and honest answers about them.

The names below are the public surface. They are loaded on first use, so that `import skin_synth`
answers at once and pulls in no TensorFlow.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_synth.models.gan import ConditionalGAN
    from skin_synth.presets import PRESETS, Preset, get_preset
    from skin_synth.pretrained import load_pretrained
    from skin_synth.training.runs import load_run

# On x86 CPUs without AVX512-VNNI TensorFlow leaves oneDNN off unless told: a training step of
# derm-32 then takes 1.4 times as long (docs/study/speed.md). It looks once, when it is imported.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__all__ = [
    "PRESETS",
    "ConditionalGAN",
    "Preset",
    "__version__",
    "get_preset",
    "load_pretrained",
    "load_run",
]

_HOMES = {
    "ConditionalGAN": "skin_synth.models.gan",
    "PRESETS": "skin_synth.presets",
    "Preset": "skin_synth.presets",
    "get_preset": "skin_synth.presets",
    "load_pretrained": "skin_synth.pretrained",
    "load_run": "skin_synth.training.runs",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("skin-synth")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skin_synth' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
