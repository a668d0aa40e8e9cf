"""The origin of an exported generator: a small JSON file in its directory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from skin_synth.presets import IMAGE_SIZES
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import read_json, typed

ORIGIN_FILE = "origin.json"
ORIGIN_SCHEMA_VERSION = 1
LARGEST_ORIGIN = 2**16
"""Most bytes of the file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """The run, the data set and the weights of a generator.

    Attributes:
        run_id: of the exported run; empty for a GAN without a run, like the next two fields.
        data_name: name of the data set on which it was trained.
        data_fingerprint: of that data set.
        checkpoint_hash: sha256 over the averaged generator's weights, 64 hexadecimal digits.
        images_seen: real images drawn in training.
        preset_name: of its networks and schedules.
        image_size: height and width of the images, in pixels.
        software: versions of the libraries that exported it.
    """

    run_id: str
    data_name: str
    data_fingerprint: str
    checkpoint_hash: str
    images_seen: int
    preset_name: str
    image_size: int
    software: str

    def __post_init__(self) -> None:
        if self.image_size not in IMAGE_SIZES or self.images_seen < 0:
            raise InputError(
                f"image_size must be one of {IMAGE_SIZES} and images_seen 0 or more, got "
                f"{self.image_size} and {self.images_seen}"
            )


def write_origin(directory: Path, origin: Origin) -> None:
    """Writes `ORIGIN_FILE` into a directory."""
    fields = {"schema_version": ORIGIN_SCHEMA_VERSION, **dataclasses.asdict(origin)}
    (directory / ORIGIN_FILE).write_text(json.dumps(fields, indent=2) + "\n", "utf-8")


def read_origin(directory: Path, *, repair: str = "export the model again") -> Origin:
    """Reads `ORIGIN_FILE` from the directory of an exported version; `repair` ends an error.

    Raises:
        InputError: there is no such file, or it is of another kind.
    """
    path = directory / ORIGIN_FILE
    if not path.exists():
        raise InputError(
            f"{path} does not exist: give a version that `skin-synth export` wrote, MODELDIR/1"
        )
    fields = read_json(path, dict[str, Any], repair=repair, limit=LARGEST_ORIGIN)
    try:
        if (version := fields.pop("schema_version", None)) != ORIGIN_SCHEMA_VERSION:
            raise InputError(
                f"its schema version is {version!r:.20}, this release reads {ORIGIN_SCHEMA_VERSION}"
            )
        return typed(fields, Origin)
    except InputError as error:
        raise InputError(f"{path} cannot be read ({error}): {repair}") from error
