"""The interface that a training run and a pretrained generator share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from skin_synth.saved_model.data_images import Agreement, DataImage, compare_images
from skin_synth.saved_model.origin import Origin
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint, read_info

_LOG = logging.getLogger("skin_synth")


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


def data_images_of(generator: ImageGenerator) -> Mapping[str, DataImage] | None:
    """Returns the images of a generator's data set by id; None if it comes without this list."""
    return getattr(generator, "data_images", None)


def on_ancestors(generator: ImageGenerator) -> list[str]:
    """Returns the warning of a run whose start was trained on its held-out images, if it was."""
    seen: int = getattr(generator, "held_out_seen", 0)
    if not seen:
        return []
    return [
        f"What the run started from (--init_from) was trained on {seen:,} of the validation and "
        "test images. Figures on these images are too good."
    ]


def check_same_data(generator: ImageGenerator, data_dir: str | os.PathLike[str]) -> None:
    """Checks that a directory holds the data set on which a generator was trained.

    A generator with a list of its images also takes another copy of the data set, such as one of
    larger files: image ids, classes and splits must agree.

    Raises:
        InputError: it holds another data set, or none.
    """
    origin, known = generator.origin, data_images_of(generator)
    what = f"run {origin.run_id}"
    if known is not None and fingerprint(data_dir) != origin.data_fingerprint:
        _check_other_copy(generator, known, data_dir)
        return
    expected = origin.data_fingerprint
    check_fingerprint(what, origin.data_name, expected, generator.class_names, data_dir)


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
    _check_class_names(what, class_names, data_dir)


def _check_other_copy(
    generator: ImageGenerator, known: Mapping[str, DataImage], data_dir: str | os.PathLike[str]
) -> None:
    """Checks that a data set of other bytes has the images on which a generator was trained."""
    origin = generator.origin
    what = f"run {origin.run_id}"
    _check_class_names(what, generator.class_names, data_dir)
    agreement = compare_images(known, data_dir)
    counts = _described(agreement, len(known))
    if not agreement.same:
        raise InputError(
            f"{what} was trained on data set {origin.data_name!r}; {data_dir} is another one "
            f"({counts}): give a copy of that data set with the same image ids, classes and "
            "splits, or train a new run on this one"
        )
    _LOG.warning(
        "%s is another copy of data set %r, on which %s was trained: image ids, classes and "
        "splits agree (%s), pixels or bytes differ",
        *(data_dir, origin.data_name, what, counts),
    )


def _described(agreement: Agreement, known: int) -> str:
    counts = [f"{agreement.shared:,} of {known:,} images agree"]
    if agreement.others:
        counts.append(
            f"{len(agreement.others):,} have another class or split, such as {agreement.others[0]}"
        )
    if agreement.new:
        counts.append(f"{agreement.new:,} are new")
    return ", ".join(counts)


def _check_class_names(
    what: str, class_names: Sequence[str], data_dir: str | os.PathLike[str]
) -> None:
    if (names := read_info(data_dir).class_names) != tuple(class_names):
        raise InputError(
            f"{what} names the classes {', '.join(class_names)}, its data set {data_dir} has "
            f"{', '.join(names)}: the names of one of the two were edited; restore them"
        )
