"""What TensorFlow asks of threads and processes."""

from __future__ import annotations

import os
import threading

from tfrecords_tools.errors import InputError

TRACING = threading.RLock()
"""Held while a graph of a generator is traced, saved or loaded, because TensorFlow and Keras keep
the state of a trace in the objects that are traced."""

_used_in: list[int] = []
"""The process that first used a generator, if one did."""


def check_not_forked() -> None:
    """Checks that this process did not inherit TensorFlow by a fork: it would wait for ever.

    Its threads exist only in the process in which it first ran.

    Raises:
        InputError: this is a fork of that process.
    """
    if not _used_in:
        _used_in.append(os.getpid())
    if _used_in[0] != os.getpid():
        raise InputError(
            "TensorFlow ran before this process was forked and cannot run in it: start worker "
            "processes with multiprocessing.get_context('spawn'), or generate before the fork"
        )
