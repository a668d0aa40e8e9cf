"""The provenance of a synthetic image: text chunks in its PNG, and its row in manifest.csv."""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.errors import InputError

MANIFEST = "manifest.csv"
LARGEST_MANIFEST = 2**30
"""Most bytes of a manifest; a row takes about 400."""
PNG_CHUNK_PREFIX = "skin_synth:"
GENERATION_LIBRARIES = ("skin-synth", "tensorflow", "keras", "numpy")


@functools.cache
def software_versions() -> str:
    """Returns names and versions of the libraries on which pixels depend."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in GENERATION_LIBRARIES)


@dataclasses.dataclass(frozen=True)
class Provenance:
    """All facts that are needed to generate an image again and to judge whether it is a copy.

    The fields are the columns of manifest.csv, in this order.

    Attributes:
        image_id: unique in its folder or data set.
        label: requested class.
        seed: of the latent.
        truncation: factor of the latent.
        run_id: run that generated it.
        checkpoint_hash: sha256 of the weights that generated it.
        pixels_sha256: sha256 of the uint8[height, width, 3] pixels, row by row.
        nearest_image_id: the nearest training image; empty without the training data.
        nearest_distance: its distance in grey levels (see `evaluation.metrics.nearest`), or NaN.
        software: versions of the libraries that generated it.
    """

    image_id: str
    label: str
    seed: int
    truncation: float
    run_id: str
    checkpoint_hash: str
    pixels_sha256: str
    nearest_image_id: str
    nearest_distance: float
    software: str = dataclasses.field(default_factory=software_versions)


def pixels_sha256(image: np.ndarray) -> str:
    """Returns the sha256 of uint8[height, width, 3] pixels, row by row: 64 hexadecimal digits."""
    return content_hash(image, shapes=False)


def content_hash(*arrays: np.ndarray, shapes: bool = True) -> str:
    """Returns the sha256 of arrays in order: 64 hexadecimal digits.

    `shapes`: whether to hash the dtype and shape of each array before its bytes.
    """
    digest = hashlib.sha256()
    for array in arrays:
        if shapes:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encode_synthetic(image: np.ndarray, provenance: Provenance) -> bytes:
    """Returns uint8[height, width, 3] as a PNG with its provenance in text chunks."""
    chunks = PngInfo()
    chunks.add_text("Software", f"skin-synth {importlib.metadata.version('skin-synth')}")
    chunks.add_text("Comment", "synthetic image, painted by a generative model; not a photograph")
    for name, value in dataclasses.asdict(provenance).items():
        chunks.add_itxt(PNG_CHUNK_PREFIX + name, str(value))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def manifest_csv(rows: Iterable[Provenance]) -> bytes:
    """Returns the manifest as a UTF-8 CSV with one row per image."""
    columns = [field.name for field in dataclasses.fields(Provenance)]
    return csv_bytes(columns, map(dataclasses.astuple, rows))


def read_manifest(path: Path) -> list[Provenance]:
    """Reads the rows of a manifest.

    Raises:
        InputError: no such file, or not a manifest.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist: give a directory that `skin-synth generate` or `skin-synth "
            "balance` wrote"
        )
    try:
        text = io.StringIO(read_bounded(path, LARGEST_MANIFEST).decode("utf-8"), newline="")
        return [_row(fields) for fields in csv.DictReader(text, strict=True)]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is not a manifest of synthetic images ({error!r})") from error


def read_chunks(path: Path) -> dict[str, str]:
    """Reads the provenance in the text chunks of a PNG, by the names of `Provenance`.

    It is empty for an image without such chunks, and for an image that is not a PNG.

    Raises:
        InputError: no such file, or not an image.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        with Image.open(path) as image:
            image.load()  # because chunks may follow the pixels
            texts = getattr(image, "text", {})
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} cannot be read as an image ({error})") from error
    return {
        name.removeprefix(PNG_CHUNK_PREFIX): str(value)
        for name, value in texts.items()
        if name.startswith(PNG_CHUNK_PREFIX)
    }


def describe_file(path: str | os.PathLike[str]) -> str:
    """Returns a line that says whether the text chunks of an image file call it synthetic.

    Raises:
        InputError: as `read_chunks`.
    """
    chunks = read_chunks(Path(path))
    if not chunks:
        return "says nothing (a copy without its text chunks says nothing either)"
    names = ("label", "seed", "truncation", "run_id", "checkpoint_hash")
    return "synthetic: " + ", ".join(f"{name} {chunks[name]}" for name in names if name in chunks)


def _row(fields: dict[str, str]) -> Provenance:
    """Reads one row; older manifests lack `software`."""
    types = {"seed": int, "truncation": float, "nearest_distance": float}
    fields = {**fields, "software": fields.get("software") or ""}
    names = [field.name for field in dataclasses.fields(Provenance)]
    if None in fields or None in fields.values():
        raise ValueError(f"the row of {fields['image_id']!r} has another number of cells")
    row = Provenance(**{name: types.get(name, str)(fields[name]) for name in names})
    if not -(2**63) <= row.seed < 2**63 or not math.isfinite(row.truncation):
        raise ValueError(f"the seed or truncation of {row.image_id!r} is out of range")
    return row
