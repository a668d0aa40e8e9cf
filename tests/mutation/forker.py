"""Runs pytest in forks of a process that has imported TensorFlow: a third of the time.

This is a program. It answers each line of JSON (arguments, cpu_s, wall_s, output) with one
(status, exit_code, cpu_s, wall_s). It imports nothing of the project and has one thread, so that a
fork is as good as a new process. The first limit is one of processor time, because other work on
the machine does not stretch that; the second is of wall time, for tests that wait forever.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # as skin_synth does before it imports TensorFlow

import h5py
import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

LOADED = (h5py, PIL.Image, keras.layers, tf.nn, tf.io, tf.random, tf.math, tf.strings, np.testing)
"""Modules that load at their first use are loaded before the forks."""
PACKAGES = ("skin_synth", "tfrecords_tools")


def run(order: Mapping[str, Any]) -> dict[str, Any]:
    """Runs pytest in a fork, within the limits."""
    start = time.monotonic()
    cpu_limit = math.ceil(order["cpu_s"])
    child = os.fork()
    if not child:
        _test(order["arguments"], order["output"], cpu_limit)
    hangs = False
    try:
        while True:
            done, status, usage = os.wait4(child, os.WNOHANG)
            if done:
                break
            if not hangs and time.monotonic() - start > order["wall_s"]:
                hangs = True
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # also ends processes that the tests left
    exit_code = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime
    late = exit_code == -signal.SIGXCPU or (exit_code == -signal.SIGKILL and cpu_s > cpu_limit - 1)
    return {
        "status": "timeout" if hangs or late else "killed" if exit_code else "survived",
        "exit_code": exit_code,
        "cpu_s": cpu_s,
        "wall_s": time.monotonic() - start,
    }


def _test(arguments: list[str], output: str, cpu_limit: int) -> NoReturn:
    exit_code = 70
    try:
        os.setsid()
        streams = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(streams, 1)
        os.dup2(streams, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_limit, cpu_limit + 5))
        exit_code = int(pytest.main(arguments))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(exit_code)


def main() -> None:
    """Reports the state of this process, then answers orders until standard input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    specs = [importlib.util.find_spec(package) for package in PACKAGES]
    state = {
        "threads": len(os.listdir("/proc/self/task")),
        "imported": [name for name in sys.modules if name.split(".")[0] in PACKAGES],
        "packages": [spec.origin for spec in specs if spec],
    }
    print(json.dumps(state), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
