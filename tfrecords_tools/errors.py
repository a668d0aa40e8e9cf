"""Errors: unusable input, a rejected image, and work that a signal stopped."""

from __future__ import annotations

import signal

from tfrecords_tools.text import escaped


class InputError(ValueError):
    """Input that cannot be used; the message says what was received and what to do.

    As text it is one line, because names in it may come from files of others.
    """

    def __str__(self) -> str:
        return escaped(" ".join(super().__str__().splitlines()))


class Rejected(Exception):
    """An image that is not accepted into the data set.

    Attributes:
        reason, detail: a slug, such as truncated, and an explanation for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Stopped(KeyboardInterrupt):
    """Work that a signal stopped in good order; the message says how to continue."""

    def __init__(self, message: str, received: signal.Signals) -> None:
        super().__init__(message)
        self.signal = received
