"""How a request travels to TF Serving: REST by the standard library, gRPC by the official stubs."""

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

RETRYABLE_HTTP = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
"""A model that is being loaded, a full queue, a proxy without a server behind it."""
RETRYABLE_GRPC = {"UNAVAILABLE"}
REFUSED_HTTP: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
}
REFUSED_GRPC = {"INVALID_ARGUMENT", "NOT_FOUND"}
LARGEST_MESSAGE = 256 * 2**20
"""Bytes of an answer over gRPC; its own limit of 4 MiB is 20 images at 256x256."""
LARGEST_WAIT = 10.0
"""Seconds between two attempts, at the most."""

Result = TypeVar("Result")


class ServingError(RuntimeError):
    """A server that did not answer, or not well; the request was not at fault.

    Attributes:
        code: the gRPC status, the HTTP status, or UNREACHABLE.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RetryableError(ServingError):
    """A state of the server that may pass."""


class Answer(NamedTuple):
    """What a server answers.

    Attributes:
        outputs: by name.
        version: of the model that answered; empty where the server does not tell.
    """

    outputs: dict[str, np.ndarray]
    version: str


class Transport(Protocol):
    """Sends one request."""

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature.

        Raises:
            InputError: the server refused the request; its reason is in the message.
            RetryableError: it may answer later.
            ServingError: it failed.
        """

    def close(self) -> None:
        """Gives back what the transport holds."""


class Rest:
    """The REST API of TF Serving, in its columnar format."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float) -> None:
        """Names the model.

        Args:
            address: http://host:8501
            model: name of the model.
            version: of the model; None for the newest.
            timeout: seconds for an attempt.
        """
        part = "" if version is None else f"/versions/{version}"
        name = urllib.parse.quote(model, safe="")
        self.url = f"{address.rstrip('/')}/v1/models/{name}{part}:predict"
        self.version = "" if version is None else str(version)
        self.timeout = timeout

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """See `Transport`."""
        body = json.dumps(
            {
                "signature_name": signature,
                "inputs": {name: values.tolist() for name, values in inputs.items()},
            }
        )
        request = urllib.request.Request(
            self.url, body.encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            raise self._told(error) from error
        except TimeoutError as error:
            raise self._late() from error
        except (urllib.error.URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._late() from error
            raise RetryableError(
                f"{self.url} cannot be reached: {reason}", "UNREACHABLE"
            ) from error
        return Answer(self._outputs(content, signature), self.version)

    def close(self) -> None:
        """Nothing is held."""

    def _outputs(self, content: bytes, signature: str) -> dict[str, np.ndarray]:
        try:
            outputs = json.loads(content)["outputs"]
            # The only output of a signature comes without its name.
            named = outputs if isinstance(outputs, dict) else {ONLY_OUTPUT: outputs}
            return {name: _array(name, values) for name, values in named.items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ServingError(
                f"{self.url} answered {signature} with what is no prediction ({error!r}): "
                f"{content[:200]!r}; is TF Serving behind this address?",
                "UNKNOWN",
            ) from error

    def _told(self, error: urllib.error.HTTPError) -> Exception:
        text = error.read(2000).decode(errors="replace")
        try:
            text = str(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            text = text.strip() or error.reason
        if error.code in REFUSED_HTTP:
            return InputError(
                f"{self.url} refused the request ({REFUSED_HTTP[error.code]}): {text}"
            )
        kind = RetryableError if error.code in RETRYABLE_HTTP else ServingError
        return kind(f"{self.url} failed with HTTP status {error.code}: {text}", str(error.code))

    def _late(self) -> ServingError:
        return ServingError(
            f"{self.url} did not answer within {self.timeout:g} s: ask for fewer images at a time, "
            "or give a longer timeout",
            "DEADLINE_EXCEEDED",
        )


ONLY_OUTPUT = "image"
"""Of the signatures `generate` and `from_latent`."""


class Grpc:
    """The gRPC API of TF Serving, by the stubs of tensorflow-serving-api."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float) -> None:
        """Opens a channel; nothing is sent.

        Args:
            address: host:8500
            model: name of the model.
            version: of the model; None for the newest.
            timeout: seconds for an attempt.
        """
        import grpc  # type: ignore[import-untyped]
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.address = address
        self.model = model
        self.version = version
        self.timeout = timeout
        self.channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", LARGEST_MESSAGE),
                ("grpc.max_send_message_length", LARGEST_MESSAGE),
                # Attempts are counted by `with_retries`, and by nothing else.
                ("grpc.enable_retries", 0),
            ],
        )
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """See `Transport`."""
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
            raise self._told(error) from error
        outputs = {name: tf.make_ndarray(value) for name, value in response.outputs.items()}
        version = response.model_spec.version.value
        return Answer(outputs, str(version) if version else "")

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()

    def _told(self, error: Any) -> Exception:
        code, text = error.code().name, error.details()
        if code in REFUSED_GRPC:
            return InputError(f"{self.address} refused the request ({code}): {text}")
        if code == "DEADLINE_EXCEEDED":
            return ServingError(
                f"{self.address} did not answer within {self.timeout:g} s: ask for fewer images "
                "at a time, or give a longer timeout",
                code,
            )
        kind = RetryableError if code in RETRYABLE_GRPC else ServingError
        return kind(f"{self.address} failed with {code}: {text}", code)


def with_retries(
    attempt: Callable[[], Result],
    *,
    retries: int,
    backoff: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Calls until it works, on states that may pass only.

    Args:
        attempt: what is tried.
        retries: attempts after the first.
        backoff: seconds before the second attempt; doubled each time, `LARGEST_WAIT` at the most.
        sleep: waits.

    Raises:
        ServingError: the last attempt failed, or one failed for good.
    """
    for number in range(retries):
        try:
            return attempt()
        except RetryableError:
            sleep(min(backoff * 2**number, LARGEST_WAIT))
    try:
        return attempt()
    except RetryableError as error:
        raise ServingError(f"{error} (after {retries + 1} attempts)", error.code) from error


def _array(name: str, values: Any) -> np.ndarray:
    """An output of the REST API: bytes come as {"b64": ...} where the name ends in _bytes."""
    if name.endswith("_bytes"):
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    return np.array(values, np.uint8 if name == ONLY_OUTPUT else np.int64)
