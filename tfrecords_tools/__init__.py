"""TFRecord data sets that can be trusted, from folders of labelled images.

The names below are the public surface. They are loaded on first use, so that importing the package
answers at once and pulls in no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfrecords_tools.builder import BuildReport, build
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
    "build",
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

_HOMES = {
    "BuildReport": "builder",
    "Column": "records.schema",
    "DatasetInfo": "records.reader",
    "InputError": "errors",
    "Record": "records.schema",
    "VerifyReport": "verifier",
    "build": "builder",
    "fingerprint": "records.reader",
    "inspect": "inspector",
    "parse_record": "records.schema",
    "read": "records.reader",
    "read_info": "records.reader",
    "read_records": "records.reader",
    "serialize_record": "records.schema",
    "verify": "verifier",
    "write_dataset": "records.writer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"tfrecords_tools.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tfrecords_tools' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
