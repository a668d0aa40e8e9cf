"""Failures of a server on a valid request."""

from __future__ import annotations


class ServingError(RuntimeError):
    """The server failed on a valid request; `code` is a gRPC or HTTP status, or UNREACHABLE."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RetryableError(ServingError):
    """A failure of the server that may be temporary."""
