"""Doors of an evaluation: its report, its cache, and files of features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.fuzz.doors.made import CLASSES, REFUSALS, SIDE, is_text, make_images, model_origin
from tests.fuzz.runner import Door, Doors

UNREAD = 0.6180339887
"""A value that no sound file of weights holds."""


def _report(root: Path) -> Door:
    from skin_synth.saved_model.model_card import model_card, read_report

    if not (root / "report.json").exists():
        report = {"run": {"checkpoint_hash": "c" * 64}, "summary": ["Good."], "warnings": ["Few."]}
        (root / "report.json").write_text(json.dumps(report))

    def use():
        return model_card(model_origin(), CLASSES, None, read_report(root, model_origin()))

    def sound(card) -> bool:
        return is_text(card) and card.count("\n## ") == 4

    return Door(root / "report.json", use, REFUSALS, sound, structure="json")


def _cache_entry(root: Path) -> Door:
    from skin_synth.evaluation.cache import Cache

    cache = Cache(root / "cache")
    made = {"rows": np.arange(12.0).reshape(3, 4), "name": np.array("x")}
    cache.arrays("features", ("key",), lambda: made)
    file = cache.path("features", ("key",))

    def use():
        # Computed again is as good as read.
        found = cache.arrays("features", ("key",), lambda: made)
        return {name: found[name] for name in made}

    def sound(found) -> bool:
        return all(
            isinstance(each, np.ndarray) and not each.dtype.hasobject for each in found.values()
        )

    return Door(file, use, REFUSALS, sound, structure="npz")


def _network():
    import keras

    images = keras.Input((SIDE, SIDE, 3))
    rows = keras.layers.Conv2D(4, 3, strides=8, activation="relu")(images)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(rows))


def _model_file(root: Path) -> Door:
    from skin_synth.evaluation.features.extractors import keras_model

    file = root / "features.keras"
    if not file.exists():
        _network().save(file)

    def use():
        return keras_model(file)(make_images(2))

    return Door(file, use, REFUSALS)


def _weights_file(file: Path, network) -> Door:
    """Weights of a user, which have no seal: `report.json` names their sha256."""
    from skin_synth.weights_file import load_weights

    if not file.exists():
        network.save_weights(file)

    def use():
        network.set_weights([np.full_like(each, UNREAD) for each in network.get_weights()])
        load_weights(network, file)
        return network.get_weights()

    def sound(weights) -> bool:
        """Other numbers, but no weight is left as it was."""
        return not any((each == UNREAD).all() for each in weights)

    return Door(file, use, REFUSALS, sound)


def _weights(root: Path) -> Door:
    return _weights_file(root / "features.weights.h5", _network())


def _mobilenet_weights(root: Path) -> Door:
    import keras

    network = keras.applications.MobileNet(alpha=0.75, input_shape=(224, 224, 3), weights=None)
    return _weights_file(root / "mobilenet.weights.h5", network)


DOORS: Doors = {
    "report.json": _report,
    "cache.npz": _cache_entry,
    "features.keras": _model_file,
    "features.weights.h5": _weights,
    "mobilenet.weights.h5": _mobilenet_weights,
}
