"""Another backend, data format or float type of Keras is named in one line."""

from __future__ import annotations

import importlib
import sys

import keras
import pytest

from skin_synth import keras_backend
from tfrecords_tools.errors import InputError


@pytest.fixture(autouse=True)
def reloaded_afterwards():
    yield
    importlib.reload(keras_backend)


SETTINGS = {
    "backend": ("torch", r"the backend 'torch'\. .*'tensorflow'.*and KERAS_BACKEND=tensorflow"),
    "image_data_format": ("channels_first", r"'channels_first'\. .* needs 'channels_last'"),
    "floatx": ("float16", r"the floatx 'float16'\. .* needs 'float32'"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_another_setting_is_named(name, monkeypatch):
    value, message = SETTINGS[name]
    with monkeypatch.context() as other:
        other.setenv("KERAS_HOME", "/home/me/.keras")
        other.setattr(keras.config, name, lambda: value)
        with pytest.raises(InputError, match=f"{message}.*") as error:
            importlib.reload(keras_backend)
    assert "/home/me/.keras/keras.json" in str(error.value)


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    with monkeypatch.context() as other:
        other.setenv("KERAS_BACKEND", "jax")
        other.setitem(sys.modules, "keras", None)
        with pytest.raises(InputError, match=r"cannot load its backend .*KERAS_BACKEND=tensorflow"):
            importlib.reload(keras_backend)


def test_a_missing_keras_stays_what_it_is(monkeypatch):
    with monkeypatch.context() as other:
        other.delenv("KERAS_BACKEND", raising=False)
        other.setitem(sys.modules, "keras", None)
        with pytest.raises(ImportError):
            importlib.reload(keras_backend)
