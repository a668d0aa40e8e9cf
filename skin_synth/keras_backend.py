"""Imports Keras, and refuses one that cannot run the networks; other modules import it from here.

The training step is TensorFlow code, and all layers take images with their channels last in
float32. `KERAS_BACKEND` or keras.json may say otherwise for another project.
"""

from __future__ import annotations

import os

from tfrecords_tools.errors import InputError

BACKEND, DATA_FORMAT, FLOAT = "tensorflow", "channels_last", "float32"
BACKEND_VARIABLE = "KERAS_BACKEND"


def _advice(name: str, needed: str) -> str:
    file = os.path.join(os.environ.get("KERAS_HOME", os.path.join("~", ".keras")), "keras.json")
    variable = f" and {BACKEND_VARIABLE}={needed} in the environment" if name == "backend" else ""
    return f"Skin Synth needs {needed!r}: set {name} in {file}{variable} before Keras is imported"


try:
    import keras
    from keras import layers, ops
except ImportError as missing:
    if os.environ.get(BACKEND_VARIABLE, BACKEND) == BACKEND and missing.name == "keras":
        raise
    raise InputError(
        f"Keras cannot load its backend ({missing}). {_advice('backend', BACKEND)}"
    ) from missing

for _name, _found, _needed in (
    ("backend", keras.config.backend(), BACKEND),
    ("image_data_format", keras.config.image_data_format(), DATA_FORMAT),
    ("floatx", keras.config.floatx(), FLOAT),
):
    if _found != _needed:
        raise InputError(f"Keras has the {_name} {_found!r}. {_advice(_name, _needed)}")

__all__ = ["keras", "layers", "ops"]
