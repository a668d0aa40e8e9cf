"""Processes that tests kill: a Python process, and children of one that has imported everything."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 300
"""Seconds after which a process hangs."""
FORKING = """
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        print("child", os.getpid(), flush=True)
        os._exit(work(line.split()) or 0)
    print("exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Children run the first operations, so that no thread is lost by the fork."""


@contextlib.contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen]:
    """A Python process that has printed `ready`; it is killed at the end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as started:
        assert started.stdout.readline() == b"ready\n"
        yield started
        started.kill()


class Driver:
    """Works in children of a process that imports once; use as a context manager.

    The code imports, and defines `work(words)`, which a child calls; it returns an exit code. The
    file `errors` gets the standard error of all children.
    """

    def __init__(self, code: str, *arguments: object, errors: Path) -> None:
        self.errors = errors
        command = [sys.executable, "-u", "-c", code + FORKING, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"}
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                command, env=quiet, stderr=file, start_new_session=True, **pipes
            )
        self.until("ready")

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *exception: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # with the child of a failed test
        self._process.communicate()

    def until(self, word: str) -> str:
        """Waits for a line that holds a word; returns the last word of that line."""
        while True:
            assert self.has_line(PATIENCE), "the work hangs"
            line = self._process.stdout.readline().decode().strip()
            assert line or self._process.poll() is None, self.errors.read_text()
            if word in line.split():
                return line.split()[-1]
            assert not line.startswith("exit"), f"no {word!r}: {self.errors.read_text()}"

    def has_line(self, seconds: float = 0) -> bool:
        """Whether a line can be read within this many seconds."""
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def start(self, words: str = "") -> int:
        """Starts a child; returns its number."""
        self._process.stdin.write(f"{words}\n".encode())
        return int(self.until("child"))

    def kill(self, child: int) -> int:
        """Kills a child, if it still runs; returns its exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        return self.exit_code()

    def exit_code(self) -> int:
        """Waits for the end of the child."""
        return int(self.until("exit"))

    def wait_for(self, path: Path) -> None:
        """Waits until a file exists or the child has ended."""
        deadline = time.monotonic() + PATIENCE
        while not path.exists() and not self.has_line(0.001):
            assert time.monotonic() < deadline, f"{path} never came"
