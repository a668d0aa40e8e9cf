"""Writes a trained classifier as a file that needs only Keras."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from skin_synth.evaluation.utility.classifiers.networks import Classifier
from skin_synth.evaluation.utility.classifiers.training import State
from skin_synth.keras_backend import keras

CLASSIFIER_FILE, CLASSIFIER_INFO = "classifier.keras", "classifier.json"


def as_keras_model(classifier: Classifier, state: State, side: int, classes: int) -> keras.Model:
    """Returns a float32 model: uint8[n, side, side, 3] to probabilities float32[n, classes]."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        network = classifier.build(side, classes, 0)
        network.set_weights(list(state.weights))
        images = keras.Input((side, side, 3), dtype="uint8", name="image")
        signal = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
        return keras.Model(images, keras.layers.Softmax(name="probability")(network(signal)))
    finally:
        keras.config.set_dtype_policy(before)


def save_classifier(
    directory: Path, model: keras.Model, class_names: Sequence[str], about: Mapping[str, object]
) -> None:
    """Writes `CLASSIFIER_FILE`, and `CLASSIFIER_INFO` with the classes in the order of the output.

    Args:
        directory: the directory of the files.
        model: from `as_keras_model`.
        class_names: in the order of the labels.
        about: further entries of the JSON file.
    """
    model.save(directory / CLASSIFIER_FILE)
    found = {"class_names": list(class_names), "image_size": model.input_shape[1], **about}
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (directory / CLASSIFIER_INFO).write_text(text, "utf-8")
