"""Requests images from TF Serving, over REST or gRPC."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from skin_synth.provenance import Provenance, encode_synthetic, pixels_sha256
from skin_synth.saved_model.int64 import as_int64
from skin_synth.saved_model.origin import Origin, read_origin
from skin_synth.serving.address import Access, parse_address
from skin_synth.serving.answers import IMAGE, IMAGE_BYTES, Answer, decode_png, wrong_answer
from skin_synth.serving.grpc_api import Grpc
from skin_synth.serving.rest import Rest
from skin_synth.serving.transports import Transport, with_retries
from tfrecords_tools.errors import InputError

ROWS_PER_REQUEST = 64
LONGEST_TIMEOUT = 86_400.0
"""Most seconds of an attempt: a day."""


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
        access: Access = Access(),  # noqa: B008 (it is frozen)
    ) -> None:
        """Sets the server's address; sends nothing.

        Args:
            address: "http://host:8501" or "https://host:8501" for REST, "host:8500" for gRPC.
            model: MODEL_NAME of the server.
            version: version of the model; None for the newest.
            origin: directory of the exported version, for the provenance of the images: its
                `origin.json` names run and checkpoint, which the server does not report.
            timeout: seconds for an attempt, from the first byte sent to the last one read.
            retries: attempts after the first.
            backoff: seconds before the second attempt, doubled each time.
            batch_size: rows in a request; more rows go in several requests.
            access: encryption and credentials.

        Raises:
            InputError: an invalid address, model or number, credentials that do not fit the
                address, or no origin in that directory.
        """
        place = parse_address(address)
        access.check(place)
        _check_model(model, version)
        if not 0 < timeout <= LONGEST_TIMEOUT:
            raise InputError(
                f"timeout must be above 0 and at most {LONGEST_TIMEOUT:,.0f} s, got {timeout}"
            )
        if not isinstance(retries, int) or retries < 0 or not 0 <= backoff < math.inf:
            raise InputError(
                f"retries and backoff must be at least 0, got {retries!r} and {backoff}"
            )
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size!r}")
        self.model = model
        self.origin = read_origin(Path(origin)) if isinstance(origin, str | os.PathLike) else origin
        self.retries = retries
        self.backoff = backoff
        self.batch_size = batch_size
        transport = Rest if place.scheme else Grpc
        self.transport: Transport = transport(place, model, version, timeout, access)

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
        return np.stack([image for image, _ in self._served_images(labels, seeds)])

    def pngs(self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray) -> list[bytes]:
        """Returns images as PNG files with their provenance in text chunks; see `images`.

        Run and checkpoint are empty if the client has no origin.
        """
        answers = list(self._served_images(labels, seeds))
        return [
            self._with_provenance(image, label, int(seed), version)
            for label, seed, (image, version) in zip(labels, seeds, answers, strict=True)
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
        return self._images("generate", label_id=ids, seed=numbers, truncation=factors)

    def from_latent(self, latents: np.ndarray, label_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns images by latent float[n, latent_dim] and label id; see `images`."""
        ids, rows = _vector(label_ids, "label_ids"), np.asarray(latents, np.float32)
        if rows.ndim != 2:
            raise InputError(f"latents must be float[n, latent_dim], got shape {rows.shape}")
        return self._images("from_latent", latent=rows, label_id=ids)

    def _images(self, signature: str, **inputs: np.ndarray) -> np.ndarray:
        """Returns the pixels of a signature that answers with pixels."""
        parts = [answer.outputs[IMAGE] for answer in self._ask(signature, **inputs)]
        for part in parts:
            self._check_side(part.shape[1], parts[0].shape[1])
        return np.concatenate(parts)

    def _served_images(
        self, labels: Sequence[str], seeds: Sequence[int] | np.ndarray
    ) -> Iterator[tuple[np.ndarray, str]]:
        """Yields images, each with the version of the model that generated it."""
        side = self.origin.image_size if self.origin else None
        rows = _names(labels)
        for answer in self._ask("serving_default", label=rows, seed=_vector(seeds, "seeds")):
            for png in answer.outputs[IMAGE_BYTES]:
                image = decode_png(bytes(png), side)
                side = len(image)  # all have one size
                yield image, answer.version

    def _check_side(self, side: int, first: int) -> None:
        expected = self.origin.image_size if self.origin else first
        if side != expected:
            raise wrong_answer(f"an image has a side of {side} pixels, expected were {expected}")

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


def _check_model(model: str, version: int | None) -> None:
    if not isinstance(model, str) or not _is_unicode(model) or not model:
        raise InputError(f"model must be the name of a model, got {model!r}")
    if version is not None and not (isinstance(version, int) and 0 <= version < 2**63):
        raise InputError(f"version must be a whole number from 0 up, got {version!r}")


def _names(labels: Sequence[str]) -> np.ndarray:
    """Returns object[n] of class names."""
    if isinstance(labels, str):
        raise InputError(f"labels must be a list of class names, got the text {labels!r}")
    names = np.empty(len(labels), object)
    for row, label in enumerate(labels):
        if not isinstance(label, str) or not _is_unicode(label):
            raise InputError(f"labels must be class names, got {label!r}")
        names[row] = str(label)
    return names


def _is_unicode(text: str) -> bool:
    """Returns whether a text has an encoding; half characters have none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _vector(values: Sequence[int] | np.ndarray, name: str) -> np.ndarray:
    """Returns int64[n]."""
    vector = as_int64(values, name)
    if vector.ndim != 1:
        raise InputError(f"{name} must be a vector, got shape {vector.shape}")
    return vector
