"""TFRecord data sets that can be trusted, from folders of labelled images.

The names below are public. They load on first use, so that the import needs no TensorFlow.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfrecords_tools.builder import BuildReport, build, build_folds
    from tfrecords_tools.errors import InputError
    from tfrecords_tools.inspector import inspect
    from tfrecords_tools.records.reader import (
        DatasetInfo,
        fingerprint,
        read,
        read_info,
        read_records,
    )
    from tfrecords_tools.records.schema import Column, Record, parse_record, serialize_record
    from tfrecords_tools.records.writer import write_dataset
    from tfrecords_tools.verifier import VerifyReport, verify

__all__ = [
    "BuildReport",
    "Column",
    "DatasetInfo",
    "InputError",
    "Record",
    "VerifyReport",
    "__version__",
    "build",
    "build_folds",
    "fingerprint",
    "inspect",
    "parse_record",
    "read",
    "read_info",
    "read_records",
    "serialize_record",
    "verify",
    "write_dataset",
]

_NAMES = {
    "builder": ("BuildReport", "build", "build_folds"),
    "errors": ("InputError",),
    "inspector": ("inspect",),
    "records.reader": ("DatasetInfo", "fingerprint", "read", "read_info", "read_records"),
    "records.schema": ("Column", "Record", "parse_record", "serialize_record"),
    "records.writer": ("write_dataset",),
    "verifier": ("VerifyReport", "verify"),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("skin-synth")  # both packages are one distribution
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"tfrecords_tools.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'tfrecords_tools' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
