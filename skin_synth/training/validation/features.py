"""The features of validation: chosen once, and the same until the end of the run."""

from __future__ import annotations

import dataclasses
import json
import logging
import os

from skin_synth.data.pipeline import DrawnImages
from skin_synth.evaluation.features import extractors
from skin_synth.evaluation.features.classifier import (
    default_steps,
    load_classifier,
    save_classifier,
    train_classifier,
)
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.training.run_directory import RunDirectory
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import read_json
from tfrecords_tools.paths import real_path

CLASSIFIER, MOBILENET = VALIDATION_FEATURES = ("classifier", "mobilenet")
FEATURES_FILE = "features.json"
CLASSIFIER_FILE = "classifier.weights.h5"
CLASSIFIER_SEED = -1
"""Seed of the classifier of validation; `evaluate` trains with seeds of 0 and above."""
_LOG = logging.getLogger("skin_synth")


@dataclasses.dataclass(frozen=True, eq=False)
class ValidationFeatures:
    """The features that validate a run.

    Attributes:
        name: one of `VALIDATION_FEATURES`.
        weights: absolute path of the weights file that the user gave; None for the classifier.
        given: the extractor with these weights; None for the classifier, which is trained later.
    """

    name: str
    weights: str | None = None
    given: Extractor | None = None

    @property
    def sha256(self) -> str | None:
        """Hash of the weights file that the user gave."""
        return None if self.given is None else self.given.provenance["sha256"]

    def extractor(self, directory: RunDirectory, train: DrawnImages) -> Extractor:
        """Returns the extractor, and keeps the choice; trains a classifier if the run has none."""
        _write_record(directory, self)
        if self.given is not None:
            return self.given
        path = directory.validation / CLASSIFIER_FILE
        steps = default_steps(len(train))
        if path.exists():
            kind = train.images.shape[1], train.class_names
            classifier = load_classifier(path, *kind, seed=CLASSIFIER_SEED, steps=steps)
        else:
            _LOG.info(
                "validation: train the classifier that images are compared by, %s steps", steps
            )
            classifier = train_classifier(train, seed=CLASSIFIER_SEED, steps=steps)
            save_classifier(classifier, path)
        return extractors.of_classifier(classifier)


def choose_features(
    directory: RunDirectory, features: str | None, weights: str | os.PathLike[str] | None
) -> ValidationFeatures:
    """Chooses the requested features, or those of the run; writes nothing.

    Args:
        directory: of the run.
        features: one of `VALIDATION_FEATURES`; None: those of the run, or the classifier.
        weights: weights file of mobilenet; None: that of the run.

    Raises:
        InputError: unknown features, a weights file that is missing or wrong, or other features
            than before, which would give the curve two scales.
    """
    record = _read_record(directory)
    name = features or (record.features if record else CLASSIFIER)
    if name not in VALIDATION_FEATURES:
        raise InputError(f"unknown features {name!r}; there are {', '.join(VALIDATION_FEATURES)}")
    if record and record.features != name:
        raise _changed(directory, record.features, name)
    if name == CLASSIFIER:
        if weights is not None:
            raise InputError(
                f"features 'classifier' are trained here and take no weights, got {weights}: drop "
                "--weights, or give --features mobilenet"
            )
        return ValidationFeatures(CLASSIFIER)
    path = weights or (record.weights if record else None)
    absolute = None if path is None else str(real_path(path))
    chosen = ValidationFeatures(MOBILENET, absolute, extractors.mobilenet(path))
    if record and record.sha256 != chosen.sha256:
        raise _changed(directory, f"weights {record.sha256}", f"weights {chosen.sha256}")
    return chosen


@dataclasses.dataclass(frozen=True)
class _Record:
    """The features in the run directory."""

    features: str
    weights: str | None
    sha256: str | None


def _read_record(directory: RunDirectory) -> _Record | None:
    path = directory.validation / FEATURES_FILE
    if not path.exists():
        return None
    return read_json(path, _Record, repair=f"remove {path.parent}")


def _write_record(directory: RunDirectory, chosen: ValidationFeatures) -> None:
    path = directory.validation / FEATURES_FILE
    if not path.exists():
        record = vars(_Record(chosen.name, chosen.weights, chosen.sha256))
        with new_file(path) as file:
            file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _changed(directory: RunDirectory, before: str, now: str) -> InputError:
    measured = ", ".join(map(str, (directory.curve, directory.validation, directory.best_file)))
    return InputError(
        f"{directory.path} has been validated by {before}, got {now}: leave out --features and "
        f"--weights to continue, or move these files away to start a new curve: {measured}"
    )
