"""A model file is read before Keras makes anything of it: code is refused, plain models pass."""

from __future__ import annotations

import json
import zipfile

import keras
import pytest

from skin_synth.evaluation.features.model_file import check_model_file
from tfrecords_tools.errors import InputError

layers = keras.layers


def plain():
    images = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(4, 3, activation="gelu", kernel_initializer="he_normal")(x)
    x = keras.ops.relu(x) + 1
    x = x / keras.ops.norm(x, axis=-1, keepdims=True)
    x = layers.Activation(keras.activations.leaky_relu)(layers.BatchNormalization()(x))
    inner = keras.Sequential([layers.Conv2D(2, 1, kernel_regularizer="l2"), layers.RandomFlip()])
    return keras.Model(images, layers.GlobalAveragePooling2D()(inner(x)))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "plain.keras"
    plain().save(path)
    return path


def with_config(file, path, change):
    """The file with another config; `change` gets the config and returns the new one."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = change(json.loads(parts["config.json"]))
    parts["config.json"] = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def layer(module, name, **config):
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def function(module, name):
    found = {"module": module, "class_name": "function", "config": name}
    return layer("keras.layers", "Activation", activation={**found, "registered_name": "function"})


def test_a_plain_model_passes(file):
    check_model_file(file)


@pytest.mark.parametrize("module", ["keras.activations", "keras.ops", "keras.src.ops.nn"])
def test_functions_of_keras_pass(file, tmp_path, module):
    def add(config):
        config["config"]["layers"].append(function(module, "relu"))
        return config

    check_model_file(with_config(file, tmp_path / "x.keras", add))


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (layer("keras.layers", "Lambda", function={}), "keras.layers.Lambda"),
        (layer("keras.layers", "TFSMLayer", filepath="/x"), "TFSMLayer"),
        (layer("keras.layers", "TorchModuleWrapper"), "TorchModuleWrapper"),
        (layer("keras.layers", "StringLookup", vocabulary="/etc/passwd"), "StringLookup"),
        (layer("os", "system"), "os.system"),
        (layer("keras.src.layers.core.lambda_layer", "Lambda"), "Lambda"),
        ({"class_name": "Lambda", "config": {}}, "no module"),
        (layer("keras.layers", "Wrapper", layer=layer("keras.layers", "Lambda")), "Lambda"),
        ({**layer("keras.layers", "Dense"), "registered_name": "my>Dense"}, "Dense"),
        (function("keras.layers", "TFSMLayer"), "TFSMLayer"),
        (function("builtins", "eval"), "builtins.eval"),
        (function("keras.utils", "get_file"), "get_file"),
        (function("keras.ops", "numpy.np.load"), "numpy.np.load"),
        (layer("keras.layers", "Activation", activation={"class_name": "__lambda__"}), "lambda"),
    ],
)
def test_code_is_refused_by_name(file, tmp_path, bad, name):
    def add(config):
        config["config"]["layers"].append(bad)
        return config

    path = with_config(file, tmp_path / "bad.keras", add)
    with pytest.raises(InputError, match=r"bad\.keras holds no Keras model: .* is unsafe") as found:
        check_model_file(path)
    assert name in str(found.value)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b"not json", "JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'"' + b" " * (17 << 20) + b'"', "17,825,794 bytes"),
    ],
)
def test_a_damaged_config_is_named(file, tmp_path, config, reason):
    path = with_config(file, tmp_path / "x.keras", lambda found: config)
    with pytest.raises(InputError, match=rf"x\.keras holds no Keras model: .*{reason}"):
        check_model_file(path)


def test_a_file_without_config_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(InputError, match="holds no Keras model"):
        check_model_file(tmp_path / "x.keras")
