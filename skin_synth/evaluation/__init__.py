"""Evaluates synthetic images against real ones: features, distances, variety, classes, copies.

`evaluate` writes the report with its verdict; every figure in it is a pure function on arrays.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_synth.evaluation.advisor import advise
    from skin_synth.evaluation.evaluator import EvaluationOptions, evaluate
    from skin_synth.evaluation.image_folder import ImageFolder, load_image_folder
    from skin_synth.evaluation.report.writer import Report
    from skin_synth.evaluation.utility.advice_options import AdviceOptions

__all__ = [
    "AdviceOptions",
    "EvaluationOptions",
    "ImageFolder",
    "Report",
    "advise",
    "evaluate",
    "load_image_folder",
]

_HOMES = {
    "AdviceOptions": "skin_synth.evaluation.utility.advice_options",
    "EvaluationOptions": "skin_synth.evaluation.evaluator",
    "ImageFolder": "skin_synth.evaluation.image_folder",
    "Report": "skin_synth.evaluation.report.writer",
    "advise": "skin_synth.evaluation.advisor",
    "evaluate": "skin_synth.evaluation.evaluator",
    "load_image_folder": "skin_synth.evaluation.image_folder",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skin_synth.evaluation' has no attribute {name!r}")
