"""Takes SIGTERM, SIGINT and SIGHUP as requests to stop; training then stops between two steps.

SIGHUP comes when a terminal is closed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""Not on Windows."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, *filter(None, [HANG_UP]))
STDERR = 2


class StopSignal:
    """Is true once a signal has asked training to stop.

    Attributes:
        received: the first signal; None before.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._requested = False

    def __bool__(self) -> bool:
        return self.received is not None

    def receive(self, number: int, _: FrameType | None) -> None:
        """Takes a signal.

        Raises:
            KeyboardInterrupt: at a SIGINT that is not the first signal of this process.
        """
        if self._requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self._requested:
            _say("stopping after this step, with a checkpoint; Ctrl-C again stops at once")
        self._requested = True
        self.received = self.received or signal.Signals(number)


class SharedStopSignal(StopSignal):
    """Is true once all machines know of a signal, so that they stop after the same step.

    A signal that comes in the last steps of training has no effect.
    """

    def __init__(self) -> None:
        super().__init__()
        self.agreed = False

    def __bool__(self) -> bool:
        return self.agreed

    def agree(self) -> None:
        """Notes that all machines know of a signal; that of another machine counts as SIGTERM."""
        self.agreed = True
        self.received = self.received or signal.SIGTERM


def _say(text: str) -> None:
    """Writes a line, so that nobody thinks that the signal was lost.

    A signal may come while Python writes to stderr, so this passes its buffer by.
    """
    with contextlib.suppress(OSError):
        os.write(STDERR, f"\n{text}\n".encode())


@contextlib.contextmanager
def receiving_signals(stop: StopSignal) -> Iterator[StopSignal]:
    """Lets `stop` receive `SIGNALS` while the block runs; restores the handlers.

    A SIGHUP that is ignored, as under `nohup`, stays ignored.

    Outside the main thread signals keep their effect, because only the main thread may set
    handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    taken = [
        number
        for number in SIGNALS
        if number != HANG_UP or signal.getsignal(number) != signal.SIG_IGN
    ]
    before = {number: signal.signal(number, stop.receive) for number in taken}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
