"""Makes the files of a generator that is to come with the package."""

from __future__ import annotations

import os
from pathlib import Path

from skin_synth.pretrained.loading import VERSION
from skin_synth.saved_model.export import write_version
from skin_synth.saved_model.origin import ORIGIN
from skin_synth.training.runs import Run
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError

MAX_BYTES = 10 * 2**20
"""Of all files together: they lie in the repository and in every wheel."""


def pack(
    run: Run, directory: str | os.PathLike[str], model_card: str, *, overwrite: bool = False
) -> Path:
    """Writes a run's generator as DIRECTORY/1, in float32, with its card and origin.

    From a checkout, the directory `skin_synth/pretrained/NAME` makes it `load_pretrained(NAME)`.

    Args:
        run: the trained run.
        directory: named as the generator is to be; appears once it is complete.
        model_card: Markdown; the licence of the training images belongs in it.
        overwrite: whether to replace a generator that is there already.

    Returns:
        The version's directory.

    Raises:
        InputError: an empty card, more than `MAX_BYTES`, or a directory that is there already.
    """
    if not model_card.strip():
        raise InputError("a pretrained generator needs a model card, got an empty one")
    with new_directory(directory, overwrite=overwrite, marker=f"{VERSION}/{ORIGIN}") as temporary:
        # Nobody else writes here, and `export` would wait for the lock that this block holds.
        version = write_version(run, temporary / VERSION, card=model_card)
        size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
        if size > MAX_BYTES:
            raise InputError(
                f"the generator of run {run.origin.run_id} takes {size / 2**20:.1f} MiB, at most "
                f"{MAX_BYTES / 2**20:.0f} MiB may come with the package: train a smaller preset"
            )
    return Path(directory) / version.name
