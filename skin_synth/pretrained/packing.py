"""Writes the files of a generator for the package."""

from __future__ import annotations

import os
from pathlib import Path

from skin_synth.pretrained.loading import PRETRAINED_VERSION
from skin_synth.saved_model.export import write_version
from skin_synth.saved_model.origin import ORIGIN_FILE
from skin_synth.training.runs import Run
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError

MAX_PACKED_BYTES = 10 * 2**20
"""Most bytes of all files of a generator, because they are in the repository and in every wheel."""


def pack(
    run: Run, directory: str | os.PathLike[str], model_card: str, *, overwrite: bool = False
) -> Path:
    """Writes a run's generator as DIRECTORY/1, in float32, with card and origin; returns that path.

    In a checkout, `load_pretrained(NAME)` finds it in the directory `skin_synth/pretrained/NAME`.

    Args:
        run: of the generator.
        directory: directory with the name of the generator; it appears when it is complete.
        model_card: Markdown, with the licence of the training images.
        overwrite: whether to replace an existing generator.

    Raises:
        InputError: an empty card, more than `MAX_PACKED_BYTES`, or an existing directory.
    """
    if not model_card.strip():
        raise InputError("a pretrained generator needs a model card, got an empty one")
    with new_directory(
        directory, overwrite=overwrite, marker=f"{PRETRAINED_VERSION}/{ORIGIN_FILE}"
    ) as temporary:
        # No other process writes here, and `export` would wait for the lock of this block.
        version = write_version(run, temporary / PRETRAINED_VERSION, card=model_card)
        size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
        if size > MAX_PACKED_BYTES:
            raise InputError(
                f"the generator of run {run.origin.run_id} takes {size / 2**20:.1f} MiB, at most "
                f"{MAX_PACKED_BYTES / 2**20:.0f} MiB may come with the package: train a smaller "
                "preset"
            )
    return Path(directory) / version.name
