"""Writes the files of a generator for a distribution, which brings it to others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from skin_synth.generator import ImageGenerator, check_same_data
from skin_synth.pretrained.catalogue import PRETRAINED_VERSION
from skin_synth.saved_model.data_images import write_data_images
from skin_synth.saved_model.export import Exportable, write_version
from skin_synth.saved_model.origin import ORIGIN_FILE
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError

MAX_PACKED_BYTES = 90 * 2**20
"""Most bytes of all files of a generator: package indexes take files of up to 100 MB."""


class TrainedGenerator(ImageGenerator, Exportable, Protocol):
    """A training run (`skin_synth.training.runs.Run`)."""


def pack(
    run: TrainedGenerator,
    directory: str | os.PathLike[str],
    model_card: str,
    *,
    data: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a run's generator as DIRECTORY/1, in float32, with card and origin; returns that path.

    In a package that the entry point `NAME = PACKAGE` of the group `skin_synth.generators` names,
    `load_pretrained(NAME)` finds the directory PACKAGE/NAME (docs/synthesis.md).

    Args:
        run: of the generator.
        directory: directory with the name of the generator; it appears when it is complete.
        model_card: Markdown, with the licence of the training images.
        data: the data set of the run, for a list of its image ids, classes and splits. With it the
            generator can be evaluated on other copies of a public data set. None: no list, which
            is right for images whose ids must stay private.
        overwrite: whether to replace an existing generator.

    Raises:
        InputError: an empty card, more than `MAX_PACKED_BYTES`, an existing directory, or `data`
            is not the data set of the run.
    """
    if not model_card.strip():
        raise InputError("a pretrained generator needs a model card, got an empty one")
    if data is not None:
        check_same_data(run, data)
    with new_directory(
        directory, overwrite=overwrite, marker=f"{PRETRAINED_VERSION}/{ORIGIN_FILE}"
    ) as temporary:
        # No other process writes here, and `export` would wait for the lock of this block.
        version = write_version(run, temporary / PRETRAINED_VERSION, card=model_card)
        if data is not None:
            write_data_images(version, data)
        size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
        if size > MAX_PACKED_BYTES:
            raise InputError(
                f"the generator of run {run.origin.run_id} takes {size / 2**20:.1f} MiB, at most "
                f"{MAX_PACKED_BYTES / 2**20:.0f} MiB fit into a distribution: train a smaller "
                "preset"
            )
    return Path(directory) / version.name
