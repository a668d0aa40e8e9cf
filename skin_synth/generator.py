"""The interface that a training run and a pretrained generator share: both paint images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np


class ImageGenerator(Protocol):
    """A run (`skin_synth.training.runs.Run`) or a pretrained generator.

    Attributes:
        run_id: of the run that trained it.
        checkpoint_hash: sha256 of its weights.
        images_seen: real images that it was trained on, repeats counted.
        preset_name: the preset of its networks.
        class_names: in the order of the labels.
        image_size: height and width of its images, in pixels.
        data_name: name of the data set that it was trained on.
        data_fingerprint: fingerprint of that data set.
        data_dir: where that data set was; None where the generator does not know.
    """

    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def checkpoint_hash(self) -> str: ...  # noqa: D102
    @property
    def images_seen(self) -> int: ...  # noqa: D102
    @property
    def preset_name(self) -> str: ...  # noqa: D102
    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def data_name(self) -> str: ...  # noqa: D102
    @property
    def data_fingerprint(self) -> str: ...  # noqa: D102
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
"""What may hold its own results, as long as these do not take its place."""


def inputs_of(
    run: ImageGenerator, data: str | os.PathLike[str] | None
) -> dict[str, str | os.PathLike[str] | None]:
    """What painting and comparing read, by what it is: no result may take its place.

    Args:
        run: what paints.
        data: the data set; None where there is none.
    """
    # What paints without files of its own has no directory.
    return {RUN: getattr(run, "directory", None), "the data set": data}
