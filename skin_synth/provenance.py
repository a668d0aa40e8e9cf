"""Where a synthetic image comes from: text chunks in its PNG, and its row in manifest.csv."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import importlib.metadata
import io
from collections.abc import Iterable

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

MANIFEST = "manifest.csv"
CHUNK_PREFIX = "skin_synth:"


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
        nearest_image_id: the nearest training image.
        nearest_distance: its distance, in grey levels (see `evaluation.memorization`).
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


def pixels_sha256(image: np.ndarray) -> str:
    """Sha256 over the pixels of uint8[height, width, 3], row by row: 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


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
    """The manifest as a UTF-8 CSV with one row an image."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Provenance))
    for row in rows:
        writer.writerow(dataclasses.astuple(row))
    return buffer.getvalue().encode()
