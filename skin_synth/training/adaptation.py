"""A generator that goes on learning from the few images of a site."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import default_cache
from skin_synth.generator import ImageGenerator
from skin_synth.pretrained.loading import Pretrained
from skin_synth.provenance import content_hash
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import Run, load_run
from skin_synth.training.trainer import train
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import TRAIN, Record, serialize_record
from tfrecords_tools.records.writer import write_dataset

DATA, RUN = "data", "run"
ADAPTED = "adapted"
"""Directory of adapted generators in a cache."""


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Adapts a generator to own images; each set of own images gives one new run.

    Attributes:
        run: the run to start from, or a generator without its discriminator.
        directory: keeps the new runs; a stopped adaptation resumes there.
        images: images that each new run is shown.
    """

    run: Run | Pretrained
    directory: Path
    images: int

    def __call__(self, own: LabelledImages) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Returns a function from labels and seeds to images of the adapted generator.

        A class without own images is generated as before the adaptation.

        Args:
            own: the images to adapt to. Its classes are found by name in the generator; a class
                that it lacks is learnt.

        Raises:
            InputError: see `train`.
            Stopped: see `train`.
        """
        # A conditional GAN has nothing to learn from one class or none.
        generators = (*([adapted] if (adapted := self._trained(own)) else []), self.run)

        def generate(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
            images = np.empty((len(labels), *own.images.shape[1:]), np.uint8)
            left = np.ones(len(labels), bool)
            for generator in generators:
                place = _places(own.class_names, generator.class_names)[labels]
                rows = left & (place >= 0)
                images[rows] = generator.generate(place[rows], seeds[rows])
                left &= ~rows
            return images

        return generate

    def key(self, own: LabelledImages) -> str:
        """Identifies the adapted generator; classes are found by name, so their names count."""
        alone = "" if isinstance(self.run, Run) else " alone"  # with a new discriminator
        images = f"{content_hash(own.images, own.labels)} of {json.dumps(own.class_names)}"
        start = f"{self.run.origin.checkpoint_hash}{alone}"
        return f"{start} adapted to {images} by {self.images} images"

    def _trained(self, own: LabelledImages) -> Run | None:
        """Trains the new run on the classes that have own images, or resumes it."""
        present = np.flatnonzero(own.class_counts)
        if len(present) < 2:
            return None
        place = self.directory / hashlib.sha256(self.key(own).encode()).hexdigest()[:16]
        data, run = place / DATA, place / RUN
        if not data.exists():
            _write(data, own, present)
        new = not RunDirectory(run).exists()
        if new:
            _check_last(self.run)  # it may have been trained further since the study began
        options = TrainingOptions(
            images=self.images,
            schedule_images=self.images if new else None,
            overrides=("validation_images=0",),
            init_from=self.run.directory if new else None,
        )
        return train(data, run, options)


def adaptation(
    generator: ImageGenerator,
    cache: str | os.PathLike[str] | None,
    out_dir: str | os.PathLike[str],
    images: int,
) -> Adaptation | None:
    """Returns the adaptation of a generator for a study, which keeps it in its cache.

    Args:
        generator: a run or a generator without its discriminator.
        cache: of the study; None: the default.
        out_dir: of the study.
        images: images that each new run is shown; 0: None is returned.

    Raises:
        InputError: the generator is a folder of images, or not the last checkpoint of its run.
    """
    if not images:
        return None
    if not isinstance(generator, Run | Pretrained):
        raise InputError("--adapt_images needs --run or --pretrained: images alone cannot learn")
    _check_last(generator)
    kept = default_cache(out_dir) if cache is None else Path(cache)
    return Adaptation(generator, kept / ADAPTED, images)


def _check_last(generator: Run | Pretrained) -> None:
    """Checks that a new run would start from these weights, which name it in the cache."""
    if not isinstance(generator, Run):
        return
    directory = generator.directory
    if load_run(directory).origin.checkpoint_hash != generator.origin.checkpoint_hash:
        raise InputError(
            f"--adapt_images starts from the last checkpoint of {directory}, and the given "
            f"generator is the one after {generator.origin.images_seen:,} images: let the run end, "
            "and leave out --checkpoint; or give a `skin-synth export` of this checkpoint by "
            "--pretrained"
        )


def _places(names: Sequence[str], of: Sequence[str]) -> np.ndarray:
    """Returns the place of each name in `of`, or -1: int64[names]."""
    return np.array([of.index(name) if name in of else -1 for name in names])


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
