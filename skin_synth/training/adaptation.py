"""A generator that goes on learning from the few images of a site."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.provenance import content_hash
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import Run
from skin_synth.training.trainer import train
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import TRAIN, Record, serialize_record
from tfrecords_tools.records.writer import write_dataset

DATA, RUN = "data", "run"


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Adapts a run to own images; each set of own images gives one new run.

    Attributes:
        run: the run to start from.
        directory: keeps the new runs; a stopped adaptation resumes there.
        images: images that each new run is shown.
    """

    run: Run
    directory: Path
    images: int

    def __call__(self, own: LabelledImages) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Returns a function from labels and seeds to images of the adapted generator.

        A class without own images is generated as before the adaptation.

        Args:
            own: the images to adapt to; its classes are those of the run.

        Raises:
            InputError: see `train`.
            Stopped: see `train`.
        """
        adapted = self._trained(own)
        if adapted is None:  # one class or none: there is nothing to learn for a conditional GAN
            return self.run.generate
        place = np.array(
            [
                adapted.class_names.index(name) if name in adapted.class_names else -1
                for name in own.class_names
            ]
        )

        def generate(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
            images = np.empty((len(labels), *own.images.shape[1:]), np.uint8)
            known = place[labels] >= 0
            images[known] = adapted.generate(place[labels[known]], seeds[known])
            images[~known] = self.run.generate(labels[~known], seeds[~known])
            return images

        return generate

    def key(self, own: LabelledImages) -> str:
        """Identifies the adapted generator."""
        images = content_hash(own.images, own.labels)
        return f"{self.run.origin.checkpoint_hash} adapted to {images} by {self.images} images"

    def _trained(self, own: LabelledImages) -> Run | None:
        """Trains the new run on the classes that have own images, or resumes it."""
        present = np.flatnonzero(own.class_counts)
        if len(present) < 2:
            return None
        place = self.directory / content_hash(own.images, own.labels)[:16]
        data, run = place / DATA, place / RUN
        if not data.exists():
            _write(data, own, present)
        new = not RunDirectory(run).exists()
        options = TrainingOptions(
            images=self.images,
            schedule_images=self.images if new else None,
            overrides=("validation_images=0",),
            init_from=self.run.directory if new else None,
        )
        return train(data, run, options)


def _write(directory: Path, own: LabelledImages, present: np.ndarray) -> None:
    """Writes a data set of the classes with these labels, without other splits."""
    write_dataset(
        directory,
        name="own",
        class_names=[own.class_names[label] for label in present],
        image_shape=own.images.shape[1:],
        splits={
            TRAIN: (
                serialize_record(
                    Record(
                        encode_png(own.images[row]),
                        int(np.searchsorted(present, own.labels[row])),
                        own.image_ids[row],
                        own.groups[row],
                    )
                )
                for row in range(len(own.labels))
            )
        },
    )
