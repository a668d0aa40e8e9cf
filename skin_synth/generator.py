"""The interface that a training run and a pretrained generator share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from skin_synth.saved_model.origin import Origin
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint, read_info


class ImageGenerator(Protocol):
    """A run (`skin_synth.training.runs.Run`), a pretrained generator, or images of a folder.

    Attributes:
        origin: its run, weights and data set.
        class_names: in the order of the labels.
        image_size: height and width of its images, in pixels.
        data_dir: directory of its data set at that time; None if unknown.
    """

    @property
    def origin(self) -> Origin: ...  # noqa: D102
    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def data_dir(self) -> Path | None: ...  # noqa: D102

    def generate(  # noqa: D102
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
    ) -> np.ndarray: ...


RUN = "the run"
"""The run directory; results may be inside it if they do not replace it."""


def inputs_of(
    run: ImageGenerator, data: str | os.PathLike[str] | None
) -> dict[str, str | os.PathLike[str] | None]:
    """Returns the inputs of generation and comparison, by name; no result may replace them."""
    # A generator without files has no directory; only images of a folder have a folder.
    return {
        RUN: getattr(run, "directory", None),
        "the images": getattr(run, "folder", None),
        "the data set": data,
    }


def discriminator_of(
    generator: ImageGenerator,
) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Returns the discriminator of a run; None if the generator comes without one.

    It turns uint8[n, side, side, 3] and int[n] labels into float32[n]: the larger, the more real.
    """
    return getattr(generator, "discriminator_scores", None)


def check_same_data(generator: ImageGenerator, data_dir: str | os.PathLike[str]) -> None:
    """Checks that a directory holds the data set on which a generator was trained.

    Raises:
        InputError: it holds another data set, or none.
    """
    origin = generator.origin
    what, fingerprint = f"run {origin.run_id}", origin.data_fingerprint
    check_fingerprint(what, origin.data_name, fingerprint, generator.class_names, data_dir)


def check_fingerprint(
    what: str,
    name: str,
    expected: str,
    class_names: Sequence[str],
    data_dir: str | os.PathLike[str],
) -> None:
    """Checks that a directory holds the data set with the expected name, fingerprint and classes.

    `what` was trained on that data set; the message begins with it.

    Raises:
        InputError: it holds another data set, or none.
    """
    found = fingerprint(data_dir)
    if found != expected:
        raise InputError(
            f"{what} was trained on data set {name!r} with fingerprint {expected[:12]}, {data_dir} "
            f"is {read_info(data_dir).name!r} with {found[:12]}: give the data set that it was "
            "trained on, or train a new run on this one"
        )
    if (names := read_info(data_dir).class_names) != tuple(class_names):
        raise InputError(
            f"{what} names the classes {', '.join(class_names)}, its data set {data_dir} has "
            f"{', '.join(names)}: the names of one of the two were edited; restore them"
        )
