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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.opening import read_file
from tfrecords_tools.images.png_file import PROVENANCE_PREFIX as PNG_CHUNK_PREFIX
from tfrecords_tools.images.png_file import XMP_KEYWORD
from tfrecords_tools.images.synthetic_mark import SYNTHETIC_XMP

if TYPE_CHECKING:
    from tfrecords_tools.images.metadata import Metadata

MANIFEST = "manifest.csv"
LARGEST_MANIFEST = 2**30
"""Most bytes of a manifest; a row takes about 400."""
SHOWN_CHARACTERS = 200
"""Most characters of a text chunk in the line of a file."""
GENERATION_LIBRARIES = ("skin-synth", "tensorflow", "keras", "numpy")


@functools.cache
def own_version() -> str:
    """Returns the version of this package, or that of its client if only this is installed."""
    try:
        return importlib.metadata.version("skin-synth")
    except importlib.metadata.PackageNotFoundError:
        return importlib.metadata.version("skin-synth-client")


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


def encode_synthetic(
    image: np.ndarray, provenance: Provenance, *, training_names: bool = True
) -> bytes:
    """Returns uint8[height, width, 3] as a PNG with its provenance in texts and IPTC's mark.

    `training_names`: whether the PNG names the nearest training image.
    """
    if not training_names:
        provenance = dataclasses.replace(provenance, nearest_image_id="")
    chunks = PngInfo()
    chunks.add_text("Software", f"skin-synth {own_version()}")
    chunks.add_itxt(XMP_KEYWORD.decode(), SYNTHETIC_XMP.decode())
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


class ManifestWriter:
    """Writes a manifest row by row; use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens a new file."""
        self._file = path.open("xb")
        self._file.write(manifest_csv([]))

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, row: Provenance) -> None:
        """Adds a row."""
        self._file.write(manifest_csv([row]).partition(b"\n")[2])


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
        raise _no_manifest(path, error) from error


def iterate_manifest(path: Path) -> Iterator[Provenance]:
    """Yields the rows of a manifest of any size, one in memory at a time.

    Raises:
        InputError: no such file, or not a manifest.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from map(_row, csv.DictReader(file, strict=True))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise _no_manifest(path, error) from error


def _no_manifest(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is not a manifest of synthetic images ({error!r})")


def read_chunks(path: Path) -> dict[str, str]:
    """Reads the provenance in the text chunks of a PNG, by the names of `Provenance`.

    It is empty for an image without such chunks, and for an image that is not a PNG.

    Raises:
        InputError: no such file, or not an image.
    """
    return _provenance(_read_metadata(path))


def describe_file(path: str | os.PathLike[str]) -> str:
    """Returns a line that says whether the metadata of an image file call it synthetic.

    Raises:
        InputError: as `read_chunks`.
    """
    found = _read_metadata(Path(path))
    if chunks := _provenance(found):
        names = ("label", "seed", "truncation", "run_id", "checkpoint_hash")
        return "synthetic: " + ", ".join(
            f"{name} {_shortened(chunks[name])}" for name in names if name in chunks
        )
    if found.says_synthetic:
        return "synthetic: its metadata say so (IPTC's digital source type)"
    return "says nothing (a copy without its text chunks says nothing either)"


def _provenance(found: Metadata) -> dict[str, str]:
    texts = found.provenance.items()
    return {name.removeprefix(PNG_CHUNK_PREFIX): value for name, value in texts}


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _read_metadata(path: Path) -> Metadata:
    """Reads the metadata of an image that can be decoded to its end."""
    # Only here, because the client of a server writes images and needs no more than NumPy and
    # Pillow.
    from tfrecords_tools.images.image_file import read_metadata

    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give image files, such as {path}/*.png")
    try:
        return read_metadata(read_file(path))
    except (Rejected, OSError) as error:
        detail = error.detail if isinstance(error, Rejected) else error.strerror
        raise InputError(f"{path} cannot be read as an image ({detail})") from error


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
