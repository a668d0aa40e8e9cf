"""Requests images from TF Serving, over REST or gRPC."""

from __future__ import annotations

import functools
import io
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from skin_synth.provenance import Provenance, encode_synthetic, pixels_sha256
from skin_synth.saved_model.int64 import as_int64
from skin_synth.saved_model.origin import Origin, read_origin
from skin_synth.serving.transports import Answer, Grpc, Rest, ServingError, Transport, with_retries
from tfrecords_tools.errors import InputError

ROWS_PER_REQUEST = 64


class Client:
    """Requests images from a server; use it as a context manager, or call `close`.

    It retries only temporary failures: UNAVAILABLE, HTTP 502 and 503, no connection.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        version: int | None = None,
        origin: str | os.PathLike[str] | Origin | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        backoff: float = 0.5,
        batch_size: int = ROWS_PER_REQUEST,
    ) -> None:
        """Sets the server's address; sends nothing.

        Args:
            address: "http://host:8501" for REST, "host:8500" for gRPC.
            model: MODEL_NAME of the server.
            version: version of the model; None for the newest.
            origin: directory of the exported version, for the provenance of the images: its
                `origin.json` names run and checkpoint, which the server does not report.
            timeout: seconds for an attempt.
            retries: attempts after the first.
            backoff: seconds before the second attempt, doubled each time.
            batch_size: rows in a request; more rows go in several requests.

        Raises:
            InputError: an invalid address or number, or no origin in that directory.
        """
        host = address.removeprefix("http://").removeprefix("https://").rstrip("/")
        if not host or "/" in host:
            raise InputError(
                f"address must be http://host:8501 (REST) or host:8500 (gRPC), got {address!r}"
            )
        if not 0 < timeout < math.inf or retries < 0 or not 0 <= backoff < math.inf:
            raise InputError(
                "timeout must be above 0, retries and backoff at least 0, got "
                f"{timeout}, {retries} and {backoff}"
            )
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        self.model = model
        self.origin = read_origin(Path(origin)) if isinstance(origin, str | os.PathLike) else origin
        self.retries = retries
        self.backoff = backoff
        self.batch_size = batch_size
        transport = Rest if address.startswith(("http://", "https://")) else Grpc
        self.transport: Transport = transport(address, model, version, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self.transport.close()

    def images(self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns uint8[n, h, w, 3] by class names and seeds int[n], with n at least one.

        Raises:
            InputError: invalid inputs, or inputs that the server refused; the message says why.
            ServingError: the server did not answer, or failed.
        """
        return np.stack([_decoded(png) for png, _ in self._served_pngs(labels, seeds)])

    def pngs(self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray) -> list[bytes]:
        """Returns images as PNG files with their provenance in text chunks; see `images`.

        Run and checkpoint are empty if the client has no origin.
        """
        answers = list(self._served_pngs(labels, seeds))
        return [
            self._with_provenance(_decoded(png), label, int(seed), version)
            for label, seed, (png, version) in zip(labels, seeds, answers, strict=True)
        ]

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """Returns images by label id and seed, latents scaled by `truncation`; see `images`."""
        ids, numbers = _vector(label_ids, "label_ids"), _vector(seeds, "seeds")
        factors = np.full(len(numbers), truncation, np.float32)
        answers = self._ask("generate", label_id=ids, seed=numbers, truncation=factors)
        return np.concatenate([answer.outputs["image"] for answer in answers])

    def from_latent(self, latents: np.ndarray, label_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns images by latent float[n, latent_dim] and label id; see `images`."""
        ids = _vector(label_ids, "label_ids")
        answers = self._ask("from_latent", latent=np.asarray(latents, np.float32), label_id=ids)
        return np.concatenate([answer.outputs["image"] for answer in answers])

    def _served_pngs(
        self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray
    ) -> Iterator[tuple[bytes, str]]:
        """Yields PNGs from the server, each with the version of the model that generated it."""
        if isinstance(labels, str):
            raise InputError(f"labels must be a list of class names, got the text {labels!r}")
        rows = np.array(labels, object)
        for answer in self._ask("serving_default", label=rows, seed=_vector(seeds, "seeds")):
            for png in answer.outputs["image_bytes"]:
                yield bytes(png), answer.version

    def _ask(self, signature: str, **inputs: np.ndarray) -> Iterator[Answer]:
        """Yields answers in order, each to at most `batch_size` rows."""
        counts = {name: len(values) for name, values in inputs.items()}
        if len(set(counts.values())) > 1 or not all(counts.values()):
            raise InputError(f"inputs must have one number of rows, at least 1; got {counts}")
        for start in range(0, max(counts.values()), self.batch_size):
            some = slice(start, start + self.batch_size)
            rows = {name: values[some] for name, values in inputs.items()}
            attempt = functools.partial(self.transport.predict, signature, rows)
            yield with_retries(attempt, retries=self.retries, backoff=self.backoff)

    def _with_provenance(self, image: np.ndarray, label: str, seed: int, version: str) -> bytes:
        model = f"{self.model}/{version}" if version else self.model
        provenance = Provenance(
            image_id=f"served/{model}/{label}/{seed}",
            label=label,
            seed=seed,
            truncation=1.0,
            run_id=self.origin.run_id if self.origin else "",
            checkpoint_hash=self.origin.checkpoint_hash if self.origin else "",
            pixels_sha256=pixels_sha256(image),
            nearest_image_id="",
            nearest_distance=math.nan,
            software=self.origin.software if self.origin else "",  # the server's libraries
        )
        return encode_synthetic(image, provenance)


def _decoded(png: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(png)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise ServingError(f"the server sent a damaged PNG ({error})", "DATA_LOSS") from error


def _vector(values: Sequence[int] | np.ndarray, name: str) -> np.ndarray:
    """Returns int64[n]."""
    vector = as_int64(values, name)
    if vector.ndim != 1:
        raise InputError(f"{name} must be a vector, got shape {vector.shape}")
    return vector
