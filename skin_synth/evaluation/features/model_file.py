"""Reads what a saved Keras model is made of before Keras loads it, and refuses code.

Keras makes every object that `config.json` of the file names. A few of them run other code or read
other files: Lambda, TFSMLayer, layers of other frameworks, functions of any module. Only Keras'
plain layers, operations and functions are let through.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skin_synth.hdf5_check import check_archived_arrays
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import parse_json

CONFIG_FILE = "config.json"
LARGEST_CONFIG = 16 << 20
"""Bytes; that of Inception-v3 has 0.3 MB."""
PLAIN_MODULES = (
    *("keras", "keras.layers", "keras.models", "keras.initializers", "keras.regularizers"),
    *("keras.constraints", "keras.activations", "keras.ops", "keras.dtype_policies"),
    *("keras.random", "keras.src.models.functional", "keras.src.models.sequential"),
)
"""Modules whose classes a model may have; those of `OPERATIONS` are others."""
OPERATIONS = "keras.src.ops."
FUNCTION_MODULES = ("keras.activations", "keras.ops", "keras.initializers")
FUNCTION_PARTS = ("keras.src.activations.", OPERATIONS, "keras.src.initializers.")
RUN_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
READ_FILES = ("StringLookup", "IntegerLookup", "TextVectorization")
"""Layers that run foreign code, and layers that read a file which they name."""
PLAIN_VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__")


def check_model_file(file: Path) -> None:
    """Checks that a file holds a Keras model without code.

    Raises:
        InputError: no such model, or an object that is not plain; the message names it.
    """
    for found in _objects(_config(file)):
        name, module = found["class_name"], found.get("module")
        if not _plain(found, name, module):
            what = found.get("config") if name == "function" else name
            raise InputError(
                f"{file} holds no Keras model: {module or '(no module)'}.{str(what)[:100]} in it "
                "is unsafe, and nothing of it was run. Save a model of Keras' plain layers, "
                "activations, operations and initializers"
            )


def _plain(found: dict[str, Any], name: object, module: object) -> bool:
    if name in PLAIN_VALUES:
        return True
    if not isinstance(name, str) or not isinstance(module, str):
        return False
    if found.get("registered_name") not in (None, name):  # a class of this process, not of Keras
        return False
    if name == "function":
        known = module in FUNCTION_MODULES or module.startswith(FUNCTION_PARTS)
        return known and str(found.get("config")).isidentifier()
    plain = module in PLAIN_MODULES or module.startswith(OPERATIONS)
    return plain and name.isidentifier() and name not in (*RUN_CODE, *READ_FILES)


def _objects(config: object) -> Iterator[dict[str, Any]]:
    """Yields every object in a config, without a limit on its depth."""
    left = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _config(file: Path) -> object:
    try:
        with zipfile.ZipFile(file) as archive:
            size = archive.getinfo(CONFIG_FILE).file_size
            if size > LARGEST_CONFIG:
                raise ValueError(f"its {CONFIG_FILE} has {size:,} bytes")
            check_archived_arrays(archive)
            return parse_json(archive.read(CONFIG_FILE))
    except (
        *(OSError, ValueError, KeyError, RecursionError, NotImplementedError, RuntimeError),
        *(zipfile.BadZipFile, EOFError),
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file} holds no Keras model: {reason}") from error
