"""Errors: bad input, an image that is not taken, and the end that a signal asks for."""

from __future__ import annotations

import signal


class InputError(ValueError):
    """Input that cannot be used; the message says what was received and what to do about it."""


class Rejected(Exception):
    """An image that is not taken: a reason (slug) and a detail for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Stopped(KeyboardInterrupt):
    """Work that a signal has ended in good order; the message says how to go on.

    Attributes:
        signal: that did.
    """

    def __init__(self, message: str, received: signal.Signals) -> None:
        super().__init__(message)
        self.signal = received
