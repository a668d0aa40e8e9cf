"""Where a synthetic image comes from: text chunks in its PNG, and its row in manifest.csv."""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.errors import InputError

MANIFEST = "manifest.csv"
CHUNK_PREFIX = "skin_synth:"
DISTRIBUTIONS = ("skin-synth", "tensorflow", "keras", "numpy")


@functools.cache
def software_versions() -> str:
    """Names and versions of the libraries on which pixels depend."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in DISTRIBUTIONS)


@dataclasses.dataclass(frozen=True)
class Provenance:
    """All that it takes to make an image again, and to judge whether it is a copy.

    The fields are the columns of manifest.csv, in this order.

    Attributes:
        image_id: name of the image, unique in its folder or data set.
        label: class asked for.
        seed: of the latent.
        truncation: factor of the latent.
        run_id: of the run that painted it.
        checkpoint_hash: sha256 over the weights that painted it.
        pixels_sha256: sha256 over the uint8[height, width, 3] pixels, row by row.
        nearest_image_id: the nearest training image; empty where the training data were not there.
        nearest_distance: its distance, in grey levels (see `evaluation.metrics.nearest`); NaN then.
        software: versions of the libraries that painted it.
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
    """Sha256 over the pixels of uint8[height, width, 3], row by row: 64 hexadecimal digits."""
    return content_hash(image, shapes=False)


def content_hash(*arrays: np.ndarray, shapes: bool = True) -> str:
    """Sha256 over arrays in order: 64 hexadecimal digits.

    Args:
        arrays: of any shape and dtype.
        shapes: hash the dtype and shape of each array before its bytes.
    """
    digest = hashlib.sha256()
    for array in arrays:
        if shapes:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encode_synthetic(image: np.ndarray, provenance: Provenance) -> bytes:
    """PNG of uint8[height, width, 3] whose text chunks tell its provenance."""
    chunks = PngInfo()
    chunks.add_text("Software", f"skin-synth {importlib.metadata.version('skin-synth')}")
    chunks.add_text("Comment", "synthetic image, painted by a generative model; not a photograph")
    for name, value in dataclasses.asdict(provenance).items():
        chunks.add_itxt(CHUNK_PREFIX + name, str(value))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def manifest_csv(rows: Iterable[Provenance]) -> bytes:
    """The manifest as a UTF-8 CSV with one row per image."""
    columns = [field.name for field in dataclasses.fields(Provenance)]
    return csv_bytes(columns, map(dataclasses.astuple, rows))


def read_manifest(path: Path) -> list[Provenance]:
    """The rows of a manifest.

    Raises:
        InputError: no such file, or not a manifest.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is not there: give a directory that `skin-synth generate` or `skin-synth "
            "balance` wrote"
        )
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_row(fields) for fields in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is no manifest of synthetic images ({error!r})") from error


def read_chunks(path: Path) -> dict[str, str]:
    """What the text chunks of a PNG tell of its provenance, by the names of `Provenance`.

    Returns:
        Empty for an image without such chunks, and for one that is no PNG.

    Raises:
        InputError: no such file, or no image.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there")
    try:
        with Image.open(path) as image:
            # Chunks may stand behind the pixels.
            image.load()
            texts = getattr(image, "text", {})
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} cannot be read as an image ({error})") from error
    return {
        name.removeprefix(CHUNK_PREFIX): str(value)
        for name, value in texts.items()
        if name.startswith(CHUNK_PREFIX)
    }


def describe_file(path: str | os.PathLike[str]) -> str:
    """One line that says whether an image file tells of itself that it is synthetic.

    Raises:
        InputError: no such file, or no image.
    """
    chunks = read_chunks(Path(path))
    if not chunks:
        return "says nothing (a copy without its text chunks says nothing either)"
    names = ("label", "seed", "truncation", "run_id", "checkpoint_hash")
    told = ", ".join(f"{name} {chunks[name]}" for name in names if name in chunks)
    return f"synthetic: {told}"


def _row(fields: dict[str, str]) -> Provenance:
    """One row; `software` came last and is missing in older manifests."""
    read = {"seed": int, "truncation": float, "nearest_distance": float}
    values = {
        field.name: read.get(field.name, str)(fields[field.name])
        for field in dataclasses.fields(Provenance)
        if field.name != "software"
    }
    return Provenance(**values, software=fields.get("software") or "")
