"""Doors of a run directory and of the record of a pipeline."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from tests.fuzz.doors.made import (
    CLASSES,
    REFUSALS,
    SIDE,
    is_text,
    run_config,
    run_directory,
    tiny_gan,
)
from tests.fuzz.runner import Door, Doors


def _config_file(root: Path) -> Door:
    directory = run_directory(root)

    def use():
        config = directory.config()
        return config.run_id, dataclasses.replace(config.data, directory="")

    return Door(root / "run/config.json", use, REFUSALS, structure="json")


def _forged_config(root: Path) -> Door:
    """A configuration whose run_id was computed again after the edit."""
    from skin_synth.training.run_config import RunConfig

    file = root / "forged.json"
    if not file.exists():
        file.write_text(json.dumps(run_config(root).to_json()))

    def use():
        from skin_synth.training.runs import new_gan
        from tfrecords_tools.json_reading import parse_json

        config = RunConfig.from_json(parse_json(file.read_bytes()))
        if config.preset.training_bytes(len(config.data.class_names)) < 2**20:
            new_gan(config)
        return config

    def sound(config) -> bool:
        names = config.data.class_names
        return len({*names}) == len(config.data.class_counts) and all(map(is_text, names))

    return Door(file, use, REFUSALS, sound, structure="json")


def _weights(gan) -> list[np.ndarray]:
    return [variable.numpy() for variable in gan.state]


def _checkpoint(root: Path) -> Door:
    directory, gan = run_directory(root), tiny_gan(root)
    if not directory.checkpoints():
        directory.save(gan)
    [file] = directory.checkpoints()

    def use():
        directory.restore(gan, set_aside=False)
        return _weights(gan)

    return Door(file, use, REFUSALS)


def _best(root: Path) -> Door:
    directory, gan = run_directory(root), tiny_gan(root)
    if not directory.best_file.exists():
        directory.save_best(gan, 0.25)

    def use():
        from skin_synth.training.runs import _load_best

        _load_best(gan, directory)
        best = directory.best()
        return best.images_seen, best.mean_kid, _weights(gan)

    directory.checkpoints() or directory.save(gan)
    return Door(directory.best_file, use, REFUSALS)


def _classifier(root: Path) -> Door:
    from skin_synth.evaluation.features.classifier import (
        Classifier,
        load_classifier,
        save_classifier,
        small_cnn,
    )

    file = root / "classifier.weights.h5"
    if not file.exists():
        save_classifier(Classifier(small_cnn(SIDE, 3, 0), CLASSES, 0, 1), file)

    def use():
        return load_classifier(file, SIDE, CLASSES, seed=0, steps=1).network.get_weights()

    return Door(file, use, REFUSALS)


def _curve(root: Path) -> Door:
    from skin_synth.training.validation.curve import Curve, Point

    file = root / "validation.csv"
    if not file.exists():
        points = (Point(8, "", 9, 0.1, 0.5), Point(8, "disc", 3, 0.2, None))
        Curve(points).save(file)

    def sound(curve) -> bool:
        return all(np.isfinite(p.kid) and p.images >= 0 and is_text(p.label) for p in curve.points)

    return Door(file, lambda: Curve.load(file), REFUSALS, sound, structure="csv")


def _features(root: Path) -> Door:
    from skin_synth.training.validation.features import choose_features

    directory = run_directory(root)
    file = directory.validation / "features.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"features": "classifier", "weights": None, "sha256": None}))

    def use():
        return choose_features(directory, None, None).name

    return Door(file, use, REFUSALS, structure="json")


def _pipeline(root: Path) -> Door:
    from skin_synth.pipeline import PipelineRecord, _open_record

    settings = {"images": 5, "minutes": 1.5, "size": [1, 2]}
    where = root / "pipeline"
    if not where.exists():
        where.mkdir()
        PipelineRecord(settings, {"train": 1.5}).write(where)
    [file] = where.iterdir()

    def sound(record) -> bool:
        return record.settings == settings

    return Door(file, lambda: _open_record(where, settings), REFUSALS, sound, structure="json")


DOORS: Doors = {
    "config.json": _config_file,
    "config.json, forged": _forged_config,
    "checkpoint.weights.h5": _checkpoint,
    "best.weights.h5": _best,
    "classifier.weights.h5": _classifier,
    "validation.csv": _curve,
    "validation/features.json": _features,
    "pipeline.json": _pipeline,
}
