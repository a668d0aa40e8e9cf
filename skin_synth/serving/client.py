"""Images from a generator that TF Serving serves, over REST or gRPC."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from skin_synth.provenance import Provenance, encode_synthetic, pixels_sha256
from skin_synth.saved_model.int64 import as_int64
from skin_synth.saved_model.origin import Origin, read_origin
from skin_synth.serving.transports import (
    Answer,
    Grpc,
    Rest,
    RetryableError,
    ServingError,
    Transport,
    with_retries,
)
from tfrecords_tools.errors import InputError

__all__ = ["Client", "RetryableError", "ServingError"]

BATCH_SIZE = 64
"""Rows of a request."""


class Client:
    """Asks a server for images; use as a context manager, or call `close`.

    Only states that may pass (UNAVAILABLE; HTTP 502 and 503; no connection) are tried again.
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
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Says where the server is; nothing is sent.

        Args:
            address: "http://host:8501" for REST, "host:8500" for gRPC.
            model: name of the model, MODEL_NAME of the server.
            version: of the model; None for the newest.
            origin: directory of the exported version, for the provenance of the images: its
                `origin.json` names run and checkpoint, which a server does not.
            timeout: seconds for an attempt.
            retries: attempts after the first.
            backoff: seconds before the second attempt, doubled each time.
            batch_size: rows of a request; more are sent in several.

        Raises:
            InputError: an address, a number or an origin that is none.
        """
        if not address or "/" in address.removeprefix("http://").removeprefix("https://").rstrip(
            "/"
        ):
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
        self.origin = (
            origin if origin is None or isinstance(origin, Origin) else read_origin(Path(origin))
        )
        self.retries = retries
        self.backoff = backoff
        self.batch_size = batch_size
        kind = Rest if address.startswith(("http://", "https://")) else Grpc
        self.transport: Transport = kind(address, model, version, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self.transport.close()

    def images(self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images by class name and seed.

        Args:
            labels: n class names, at least one.
            seeds: int[n].

        Returns:
            uint8[n, h, w, 3].

        Raises:
            InputError: inputs that do not fit, or that the server refused; it says why.
            ServingError: the server did not answer, or failed.
        """
        return np.stack([_decoded(png) for png, _ in self._named(labels, seeds)])

    def pngs(self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray) -> list[bytes]:
        """The same as PNG files whose text chunks tell their provenance; see `images`.

        Run and checkpoint are empty where the client was given no origin.
        """
        answers = list(self._named(labels, seeds))
        rows = zip(labels, _vector(seeds, "seeds").tolist(), answers, strict=True)
        return [
            self._signed(_decoded(png), label, seed, version)
            for label, seed, (png, version) in rows
        ]

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """Images by label id and seed, latents scaled by `truncation`; see `images`."""
        ids, numbers = _vector(label_ids, "label_ids"), _vector(seeds, "seeds")
        inputs = {
            "label_id": ids,
            "seed": numbers,
            "truncation": np.full(len(numbers), truncation, np.float32),
        }
        answers = self._ask("generate", inputs)
        return np.concatenate([answer.outputs["image"] for answer in answers])

    def from_latent(self, latents: np.ndarray, label_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images by latent float[n, latent_dim] and label id; see `images`."""
        inputs = {
            "latent": np.asarray(latents, np.float32),
            "label_id": _vector(label_ids, "label_ids"),
        }
        answers = self._ask("from_latent", inputs)
        return np.concatenate([answer.outputs["image"] for answer in answers])

    def _named(
        self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray
    ) -> Iterator[tuple[bytes, str]]:
        """PNGs as served, and the version of the model that painted each."""
        if isinstance(labels, str):
            raise InputError(f"labels must be a list of class names, got the text {labels!r}")
        inputs = {"label": np.array(labels, object), "seed": _vector(seeds, "seeds")}
        for answer in self._ask("serving_default", inputs):
            for png in answer.outputs["image_bytes"]:
                yield bytes(png), answer.version

    def _ask(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Iterator[Answer]:
        """Answers in order; each to `batch_size` rows at the most."""
        counts = {name: len(values) for name, values in inputs.items()}
        count = next(iter(counts.values()))
        if len(set(counts.values())) > 1 or not count:
            raise InputError(f"inputs must have one number of rows, at least 1; got {counts}")
        for start in range(0, count, self.batch_size):
            rows = {
                name: values[start : start + self.batch_size] for name, values in inputs.items()
            }
            yield self._one(signature, rows)

    def _one(self, signature: str, rows: Mapping[str, np.ndarray]) -> Answer:
        return with_retries(
            lambda: self.transport.predict(signature, rows),
            retries=self.retries,
            backoff=self.backoff,
        )

    def _signed(self, image: np.ndarray, label: str, seed: int, version: str) -> bytes:
        model = f"{self.model}/{version}" if version else self.model
        return encode_synthetic(
            image,
            Provenance(
                image_id=f"served/{model}/{label}/{seed}",
                label=label,
                seed=seed,
                truncation=1.0,
                run_id=self.origin.run_id if self.origin else "",
                checkpoint_hash=self.origin.checkpoint_hash if self.origin else "",
                pixels_sha256=pixels_sha256(image),
                nearest_image_id="",
                nearest_distance=math.nan,
                # What painted it runs elsewhere.
                software=self.origin.software if self.origin else "",
            ),
        )


def _decoded(png: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(png)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise ServingError(f"the server sent a damaged PNG ({error})", "DATA_LOSS") from error


def _vector(values: Sequence[int] | np.ndarray, name: str) -> np.ndarray:
    """One row a value: int64[n]."""
    vector = as_int64(values, name)
    if vector.ndim != 1:
        raise InputError(f"{name} must be a vector, got shape {vector.shape}")
    return vector
