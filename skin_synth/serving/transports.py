"""What the transports of requests to TF Serving share: the protocol, and repeated attempts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import numpy as np

from skin_synth.serving.answers import Answer
from skin_synth.serving.errors import RetryableError, ServingError

LONGEST_WAIT = 10.0
"""Most seconds between two attempts."""

Result = TypeVar("Result")


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


def row_count(inputs: Mapping[str, np.ndarray]) -> int:
    """Returns the number of rows of a request."""
    return len(next(iter(inputs.values())))
