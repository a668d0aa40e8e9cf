"""SIGTERM and SIGINT as a wish to stop, which training grants between two steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopWish:
    """Whether a signal has asked for an end.

    Attributes:
        signal: the first that came; None while none has.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._asked = False

    def __bool__(self) -> bool:
        return self.signal is not None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal; SIGINT as the second one or later ends the process's work at once.

        Raises:
            KeyboardInterrupt: at a SIGINT that is not the first signal of this process.
        """
        del frame
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = True
        self.signal = self.signal or signal.Signals(number)


class SharedStopWish(StopWish):
    """A wish that counts once all machines know of it, so that they stop after the same step.

    One that comes when training has all but ended finds nothing left to stop.

    Attributes:
        agreed: whether they do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.agreed = False

    def __bool__(self) -> bool:
        return self.agreed

    def agree(self) -> None:
        """Notes that all machines know of a wish; one that came to another is taken for SIGTERM."""
        self.agreed = True
        self.signal = self.signal or signal.SIGTERM


@contextlib.contextmanager
def stop_wish(wish: StopWish) -> Iterator[StopWish]:
    """Takes SIGINT and SIGTERM as wishes while the block runs, then as before.

    Outside the main thread, which alone may set handlers, signals keep their effect.

    Args:
        wish: takes them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.signal(number, wish.receive) for number in SIGNALS}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
