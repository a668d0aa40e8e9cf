"""Training: the run directory, callbacks, checkpoints, exact resume, validation during training."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_synth.training.options import TrainingOptions
    from skin_synth.training.runs import load_run
    from skin_synth.training.trainer import train

__all__ = ["TrainingOptions", "load_run", "train"]

_HOMES = {
    "TrainingOptions": "skin_synth.training.options",
    "load_run": "skin_synth.training.runs",
    "train": "skin_synth.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skin_synth.training' has no attribute {name!r}")
