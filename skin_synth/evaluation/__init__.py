"""Judging synthetic images against real ones: features, distances, variety, classes, copies.

`evaluate` writes the report with its verdict; every figure in it is a pure function on arrays.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_synth.evaluation.evaluator import EvaluationOptions, evaluate
    from skin_synth.evaluation.report.writer import Report

__all__ = ["EvaluationOptions", "Report", "evaluate"]

_HOMES = {
    "EvaluationOptions": "skin_synth.evaluation.evaluator",
    "Report": "skin_synth.evaluation.report.writer",
    "evaluate": "skin_synth.evaluation.evaluator",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'skin_synth.evaluation' has no attribute {name!r}")
