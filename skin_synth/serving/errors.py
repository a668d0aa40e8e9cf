"""Failures of a server on a valid request."""

from __future__ import annotations

from http import HTTPStatus

from tfrecords_tools.errors import InputError
from tfrecords_tools.text import escaped

RETRYABLE = {str(HTTPStatus.BAD_GATEWAY), str(HTTPStatus.SERVICE_UNAVAILABLE), "UNAVAILABLE"}
"""Codes of temporary failures: a model is loading, a queue is full, a proxy has no server."""
REFUSALS = {
    str(HTTPStatus.BAD_REQUEST): "INVALID_ARGUMENT",
    str(HTTPStatus.NOT_FOUND): "NOT_FOUND",
    "INVALID_ARGUMENT": "INVALID_ARGUMENT",
    "NOT_FOUND": "NOT_FOUND",
}
"""HTTP and gRPC codes of requests that the server refused, with their gRPC names."""
LONGEST_REASON = 2000
"""Most characters of a server's reason in a message."""


class ServingError(RuntimeError):
    """The server failed on a valid request; `code` is a gRPC or HTTP status, or UNREACHABLE."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RetryableError(ServingError):
    """A failure of the server that may be temporary."""


def failure(address: str, code: str, reason: str, kind: str = "") -> Exception:
    """Returns the error for a code; `kind` of code is for the message."""
    reason = escaped(reason[:LONGEST_REASON])
    if code in REFUSALS:
        return InputError(f"{address} refused the request ({REFUSALS[code]}): {reason}")
    error = RetryableError if code in RETRYABLE else ServingError
    return error(f"{address} failed with {kind}{code}: {reason}", code)


def late(address: str, timeout: float) -> ServingError:
    """Returns the error of a server that did not answer in time."""
    return ServingError(
        f"{address} did not answer within {timeout:g} s: request fewer images at a time, or give a "
        "longer timeout",
        "DEADLINE_EXCEEDED",
    )


def too_large(address: str, limit: int) -> ServingError:
    """Returns the error of an answer with more bytes than `limit`."""
    return ServingError(
        f"{address} sent more than {limit:,} bytes: request fewer images at a time (batch_size), "
        "or use gRPC",
        "RESOURCE_EXHAUSTED",
    )
