"""Which features a run is validated by: chosen once, the same to its end."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from pathlib import Path

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

CLASSIFIER, MOBILENET = NAMES = ("classifier", "mobilenet")
RECORD = "features.json"
CLASSIFIER_FILE = "classifier.weights.h5"
CLASSIFIER_SEED = -1
"""Of the classifier that validates; those that `evaluate` trains have seeds of 0 and above."""
_LOG = logging.getLogger("skin_synth")


@dataclasses.dataclass(frozen=True, eq=False)
class Yardstick:
    """The features of a run's validation.

    Attributes:
        name: one of `NAMES`.
        weights: absolute path of the weights file that the user gave; None for the classifier.
        given: the extractor with these weights; None for the classifier, which is trained late.
    """

    name: str
    weights: str | None = None
    given: Extractor | None = None

    @property
    def sha256(self) -> str | None:
        """Of the weights file that the user gave."""
        return None if self.given is None else self.given.provenance["sha256"]

    def extractor(self, directory: RunDirectory, train: DrawnImages) -> Extractor:
        """The extractor; a classifier is trained where the run has none yet, and kept.

        Args:
            directory: of the run, where classifier and choice are kept.
            train: the training split.
        """
        _write_record(directory, self)
        if self.given is not None:
            return self.given
        path = directory.validation / CLASSIFIER_FILE
        steps = default_steps(len(train))
        if path.exists():
            side = train.images.shape[1]
            classifier = load_classifier(
                path, side, train.class_names, seed=CLASSIFIER_SEED, steps=steps
            )
        else:
            _LOG.info(
                f"validation: train the classifier that images are compared by, {steps} steps"
            )
            classifier = train_classifier(train, seed=CLASSIFIER_SEED, steps=steps)
            save_classifier(classifier, path)
        return extractors.of_classifier(classifier)


def choose(
    directory: RunDirectory, features: str | None, weights: str | os.PathLike[str] | None
) -> Yardstick:
    """The features asked for, or those of the run; writes nothing.

    Args:
        directory: of the run, new or begun.
        features: one of `NAMES`; None: those of the run, the classifier for a new one.
        weights: weights file of mobilenet; None: that of the run.

    Raises:
        InputError: unknown features, a weights file that is missing or of no use, or others than
            the run was validated by so far: its curve would have two scales.
    """
    record = _read_record(directory)
    name = features or (record.name if record else CLASSIFIER)
    if name not in NAMES:
        raise InputError(f"unknown features {name!r}; there are {', '.join(NAMES)}")
    if record and record.name != name:
        raise _changed(directory, record.name, name)
    if name == CLASSIFIER:
        if weights is not None:
            raise InputError(
                f"features 'classifier' are trained here and take no weights, got {weights}: drop "
                "--weights, or give --features mobilenet"
            )
        return Yardstick(CLASSIFIER)
    path = weights or (record.weights if record else None)
    chosen = Yardstick(
        MOBILENET, None if path is None else str(Path(path).resolve()), extractors.mobilenet(path)
    )
    if record and record.sha256 != chosen.sha256:
        raise _changed(directory, f"weights {record.sha256}", f"weights {chosen.sha256}")
    return chosen


@dataclasses.dataclass(frozen=True)
class _Record:
    """What the run directory says of the features."""

    name: str
    weights: str | None
    sha256: str | None


def _read_record(directory: RunDirectory) -> _Record | None:
    path = directory.validation / RECORD
    if not path.exists():
        return None
    try:
        fields = json.loads(path.read_text("utf-8"))
        return _Record(fields["features"], fields["weights"], fields["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error!r}): remove {path.parent}") from error


def _write_record(directory: RunDirectory, chosen: Yardstick) -> None:
    path = directory.validation / RECORD
    if not path.exists():
        fields = {"features": chosen.name, "weights": chosen.weights, "sha256": chosen.sha256}
        with new_file(path) as file:
            file.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _changed(directory: RunDirectory, before: str, now: str) -> InputError:
    measured = ", ".join(map(str, (directory.curve, directory.validation, directory.best_file)))
    return InputError(
        f"{directory.path} has been validated by {before}, asked for was {now}: leave --features "
        f"and --weights out to go on; or start a new curve, once these are moved away: {measured}"
    )
