"""What the package logs, for fixtures that outlive one test; tests have pytest's caplog."""

from __future__ import annotations

import contextlib
import logging


@contextlib.contextmanager
def logged_to(receive):
    """Calls `receive` with each line that `skin_synth` logs while the block runs."""
    handler = logging.Handler()
    handler.emit = lambda record: receive(record.getMessage())
    logger = logging.getLogger("skin_synth")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
