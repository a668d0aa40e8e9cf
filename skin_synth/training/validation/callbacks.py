"""Keras callbacks that validate a run and raise alarms; they change none of its weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages, load_real_split
from skin_synth.presets import Preset
from skin_synth.training.callbacks.base import GANCallback, Logs, Periodic
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.validation.alarms import Alarm, begun, collapsed, runaway
from skin_synth.training.validation.curve import WHOLE, Curve, Point, mean_kid
from skin_synth.training.validation.features import ValidationFeatures
from skin_synth.training.validation.pictures import draw_curve
from skin_synth.training.validation.reference import Reference, make_reference, shortcomings
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import VALIDATION

VARIETY_IMAGES = 16
"""Number of synthetic images of each class for the check of variety."""
_LOG = logging.getLogger("skin_synth")


class Alarms:
    """Reports each alarm once when it begins, and again if it comes back."""

    def __init__(self, writer: Any) -> None:
        """Takes the writer of TensorBoard."""
        self.writer = writer
        self.now: list[Alarm] = []

    def update(self, found: list[Alarm], images_seen: int) -> None:
        """Takes all present alarms."""
        for alarm in begun(self.now, found):
            _LOG.warning(f"warning at {images_seen:,} images: {alarm.line}")
            with self.writer.as_default(step=images_seen):
                tf.summary.text(f"warning/{alarm.subject}", alarm.line)
        self.now = found


class Validation(Periodic):
    """Compares the averaged generator with the validation split; keeps curve and best checkpoint.

    This callback must come before `Checkpoints`. Then a run that is killed between them validates
    once more; the other order would leave a gap in the curve.
    """

    def __init__(
        self,
        directory: RunDirectory,
        every: int,
        writer: Any,
        *,
        reference: Callable[[], Reference],
    ) -> None:
        """Sets the run directory, the images between two validations and TensorBoard's writer.

        `reference` measures the real images; it is called at the first validation.
        """
        super().__init__(every)
        self.directory = directory
        self.writer = writer
        self.make_reference = reference
        self.reference: Reference | None = None
        self.alarms = Alarms(writer)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Continues the curve, without points after the restored checkpoint.

        Raises:
            InputError: curve or best checkpoint are damaged: better now than hours later.
        """
        super().on_train_begin(logs)
        self.directory.best()
        curve = Curve.load(self.directory.curve)
        self.curve = curve.up_to(self.images_seen)
        if self.curve != curve:
            self.curve.save(self.directory.curve)
        # Not the images seen, because the run may have been killed before it validated there.
        self.last = max((point.images for point in self.curve.points), default=0)

    def on_train_end(self, logs: Logs = None) -> None:
        """Does not validate, because a run may stop between two points of its curve."""

    def act(self) -> None:
        """Validates once."""
        if self.reference is None:
            self.reference = self.make_reference()
        reference, classes = self.reference, len(self.reference.class_names)
        variety = reference.variety(*self._generate(np.full(classes, VARIETY_IMAGES)))
        self.alarms.update(collapsed(variety, reference.spread), self.images_seen)
        if reference.real is not None:
            images, labels = self._generate(np.bincount(reference.real.labels, minlength=classes))
            self._note(reference, reference.compare(images, labels, self.images_seen))

    def _generate(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Generates images from the same latents each time; returns them and their labels."""
        labels = np.repeat(np.arange(len(counts)), counts)
        return self.model.generate(labels, np.arange(len(labels))), labels

    def _note(self, reference: Reference, points: list[Point]) -> None:
        self.directory.save_best(self.model, mean_kid(points))
        self.curve = self.curve.plus(points)
        self.curve.save(self.directory.curve)
        best = self.directory.best()
        draw_curve(
            self.curve,
            reference.real_baseline,
            reference.class_names,
            self.directory.curve_picture,
            best=None if best is None else best.images_seen,
        )
        with self.writer.as_default(step=self.images_seen):
            tf.summary.scalar("validation/mean_kid", mean_kid(points))
            for point in points:
                label = "all" if point.label == WHOLE else f"class/{point.label}"
                tf.summary.scalar(f"validation/kid/{label}", point.kid)
                if point.coverage is not None:
                    tf.summary.scalar(f"validation/coverage/{label}", point.coverage)


class Runaway(GANCallback):
    """Watches whether the discriminator runs away."""

    def __init__(self, writer: Any) -> None:
        """Takes the writer of TensorBoard."""
        super().__init__()
        self.alarms = Alarms(writer)
        self.gaps: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Takes the logits of one epoch."""
        means = logs or {}
        self.gaps.append(float(means["real_logit"]) - float(means["fake_logit"]))
        self.alarms.update(runaway(self.gaps), self.images_seen)


def validation_callbacks(
    directory: RunDirectory,
    features: ValidationFeatures,
    data: str | os.PathLike[str],
    train: DrawnImages,
    preset: Preset,
    writer: Any,
) -> list[GANCallback]:
    """Makes the callbacks of this module that a run needs.

    Args:
        directory: of the run.
        features: the features of validation.
        data: data set directory, with or without a validation split.
        train: its training split.
        preset: of the run.
        writer: of TensorBoard.
    """
    runaway = Runaway(writer)
    if not preset.validation_images:
        return [runaway]
    has_split = VALIDATION in read_info(data).splits
    train = train.real()
    held_out = load_real_split(data, VALIDATION) if has_split else None
    for line in shortcomings(held_out):
        _LOG.info(line)

    def reference() -> Reference:
        return make_reference(features.extractor(directory, train), train, held_out)

    every = preset.validation_images
    return [runaway, Validation(directory, every, writer, reference=reference)]
