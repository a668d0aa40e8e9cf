"""Sends requests to TF Serving: REST by the standard library, gRPC by the official stubs."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from tfrecords_tools.errors import InputError

RETRYABLE = {str(HTTPStatus.BAD_GATEWAY), str(HTTPStatus.SERVICE_UNAVAILABLE), "UNAVAILABLE"}
"""Codes of temporary failures: a model is loading, a queue is full, a proxy has no server."""
REFUSALS = {
    str(HTTPStatus.BAD_REQUEST): "INVALID_ARGUMENT",
    str(HTTPStatus.NOT_FOUND): "NOT_FOUND",
    "INVALID_ARGUMENT": "INVALID_ARGUMENT",
    "NOT_FOUND": "NOT_FOUND",
}
"""HTTP and gRPC codes of requests that the server refused, with their gRPC names."""
LARGEST_GRPC_MESSAGE = 256 * 2**20
"""Largest answer in bytes; gRPC's default, 4 MiB, is 20 images at 256x256."""
LONGEST_WAIT = 10.0
"""Most seconds between two attempts."""
ONLY_OUTPUT = "image"
"""Output of the signatures `generate` and `from_latent`."""

Result = TypeVar("Result")


class ServingError(RuntimeError):
    """The server failed on a valid request; `code` is a gRPC or HTTP status, or UNREACHABLE."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RetryableError(ServingError):
    """A failure of the server that may be temporary."""


class Answer(NamedTuple):
    """The outputs of a model by name, and its version; empty if the server does not name it."""

    outputs: dict[str, np.ndarray]
    version: str


class Transport(Protocol):
    """Sends requests to one model."""

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature.

        Raises:
            InputError: the server refused the request; its reason is in the message.
            RetryableError: the server may answer later.
            ServingError: the server failed.
        """

    def close(self) -> None:
        """Closes connections."""


class Rest:
    """The REST API of TF Serving, in its columnar format."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float) -> None:
        """Makes the URL from http://host:8501; see `Client` for the other arguments."""
        versions = "" if version is None else f"/versions/{version}"
        name = urllib.parse.quote(model, safe="")
        self.url = f"{address.rstrip('/')}/v1/models/{name}{versions}:predict"
        self.version = "" if version is None else str(version)
        self.timeout = timeout

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature; see `Transport`."""
        lists = {name: values.tolist() for name, values in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": lists}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            raise _failure(self.url, str(error.code), _reason(error), "HTTP status ") from error
        except (urllib.error.URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise _late(self.url, self.timeout) from error
            message = f"{self.url} cannot be reached: {reason}"
            raise RetryableError(message, "UNREACHABLE") from error
        return Answer(self._outputs(content, signature), self.version)

    def close(self) -> None:
        """Does nothing, because each request has its own connection."""

    def _outputs(self, content: bytes, signature: str) -> dict[str, np.ndarray]:
        try:
            outputs = json.loads(content)["outputs"]
            # TF Serving omits the name of a single output.
            named = outputs if isinstance(outputs, dict) else {ONLY_OUTPUT: outputs}
            return {name: _array(name, values) for name, values in named.items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ServingError(
                f"{self.url} answered {signature}, but not with a prediction ({error!r}): "
                f"{content[:200]!r}; is TF Serving behind this address?",
                "UNKNOWN",
            ) from error


class Grpc:
    """The gRPC API of TF Serving, by the stubs of tensorflow-serving-api."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float) -> None:
        """Opens a channel to host:8500; see `Client` for the other arguments."""
        import grpc  # type: ignore[import-untyped]
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.address = address
        self.model = model
        self.version = version
        self.timeout = timeout
        options = [
            ("grpc.max_receive_message_length", LARGEST_GRPC_MESSAGE),
            ("grpc.max_send_message_length", LARGEST_GRPC_MESSAGE),
            ("grpc.enable_retries", 0),  # only `with_retries` counts attempts
        ]
        self.channel = grpc.insecure_channel(address, options=options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature; see `Transport`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        if self.version is not None:
            request.model_spec.version.value = self.version
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        try:
            response = self.stub.Predict(request, timeout=self.timeout)
        except grpc.RpcError as error:
            code = error.code().name
            if code == "DEADLINE_EXCEEDED":
                raise _late(self.address, self.timeout) from error
            raise _failure(self.address, code, error.details()) from error
        outputs = {name: tf.make_ndarray(value) for name, value in response.outputs.items()}
        return Answer(outputs, str(response.model_spec.version.value or ""))

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()


def _failure(address: str, code: str, reason: str, kind: str = "") -> Exception:
    """Returns the error for a code; `kind` of code is for the message."""
    if code in REFUSALS:
        return InputError(f"{address} refused the request ({REFUSALS[code]}): {reason}")
    error = RetryableError if code in RETRYABLE else ServingError
    return error(f"{address} failed with {kind}{code}: {reason}", code)


def _late(address: str, timeout: float) -> ServingError:
    return ServingError(
        f"{address} did not answer within {timeout:g} s: request fewer images at a time, or give a "
        "longer timeout",
        "DEADLINE_EXCEEDED",
    )


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip() or error.reason


def with_retries(
    attempt: Callable[[], Result],
    *,
    retries: int,
    backoff: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Makes a call, and repeats it after temporary failures, at most `retries` times.

    It waits `backoff` seconds before the second attempt, doubled each time, at most `LONGEST_WAIT`.

    Raises:
        ServingError: the last attempt failed, or one failed permanently.
    """
    for number in range(retries):
        try:
            return attempt()
        except RetryableError:
            sleep(min(backoff * 2**number, LONGEST_WAIT))
    try:
        return attempt()
    except RetryableError as error:
        raise ServingError(f"{error} (after {retries + 1} attempts)", error.code) from error


def _array(name: str, values: Any) -> np.ndarray:
    """Converts an output of the REST API; if its name ends in _bytes, it has {"b64": ...}."""
    if name.endswith("_bytes"):
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    return np.array(values, np.uint8 if name == ONLY_OUTPUT else np.int64)
