"""Doors of an evaluation: its report, its cache, and files of features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.fuzz.doors.made import CLASSES, REFUSALS, SIDE, is_text, make_images, model_origin
from tests.fuzz.runner import Door, Doors


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
        return cache.arrays("features", ("key",), lambda: made)

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


def _weights_file(root: Path) -> Door:
    """Weights of a user, which have no seal: `report.json` names their sha256."""
    from skin_synth.evaluation.features.extractors import _load

    file, network = root / "features.weights.h5", _network()
    if not file.exists():
        network.save_weights(file)

    def use():
        _load(network, file)
        return network.get_weights()

    return Door(file, use, REFUSALS, lambda weights: True)


DOORS: Doors = {
    "report.json": _report,
    "cache.npz": _cache_entry,
    "features.keras": _model_file,
    "features.weights.h5": _weights_file,
}
