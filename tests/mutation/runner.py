"""A clone of HEAD that may be mutated, and runs of its tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant

FORKER = Path(__file__).with_name("forker.py").resolve()
CPU_TIMES, SHORTEST_CPU_S = 4, 6.0
WALL_TIMES, SHORTEST_WALL_S = 30, 60.0
UNSET = ("HAM10000_DIR", "MOBILENET_WEIGHTS")
"""Tests on real images are skipped: they take minutes."""
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # A file that changes twice in a second would otherwise run from an old .pyc.
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Clone:
    """A clone that nobody else uses.

    Attributes:
        checkout: the working tree.
        scratch: an empty folder next to it.
        commit: the commit that is checked out.
    """

    checkout: Path
    scratch: Path
    commit: str

    @contextlib.contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[str]:
        """Writes a mutant into the clone, and the original at the end; gives the original text."""
        file = self.checkout / mutant.path
        original = file.read_text(encoding="utf-8")
        try:
            file.write_text(mutant.change.mutated, encoding="utf-8")
            yield original
        finally:
            file.write_text(original, encoding="utf-8")


@contextlib.contextmanager
def clone_of_head(root: Path, work: Path | None = None) -> Iterator[Clone]:
    """A clone of the HEAD of a checkout; it is deleted at the end.

    Args:
        root: the checkout.
        work: the folder in which the clone is made; by default that of temporary files.
    """
    if work:
        work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutation-", dir=work) as folder:
        clone = Clone(
            Path(folder).resolve() / "checkout",
            Path(folder).resolve() / "scratch",
            git(root, "rev-parse", "HEAD"),
        )
        clone.scratch.mkdir()
        git(root, "clone", "--quiet", "--shared", "--no-checkout", ".", str(clone.checkout))
        git(clone.checkout, "checkout", "--quiet", "--detach", clone.commit)
        yield clone


def git(folder: Path, *words: str) -> str:
    """Returns the output of git in a folder."""
    # Inside a hook, GIT_DIR would lead each command to the repository of the hook.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    command = ["git", "-C", str(folder), *words]
    return subprocess.check_output(command, text=True, env=environment).strip()


@dataclass(frozen=True)
class Limits:
    """Seconds of processor time and of wall time after which tests are stopped."""

    cpu_s: float = 300.0
    wall_s: float = 900.0

    @classmethod
    def of(cls, plain_cpu_s: float) -> Limits:
        """Returns the limits for mutants from the processor time without a mutant."""
        return cls(
            max(SHORTEST_CPU_S, CPU_TIMES * plain_cpu_s),
            max(SHORTEST_WALL_S, WALL_TIMES * plain_cpu_s),
        )


@dataclass(frozen=True)
class Outcome:
    """A run of tests.

    Attributes:
        status: `survived` if all tests passed, `killed` if one failed, or `timeout`.
        exit_code: that of pytest; negative for a signal.
        cpu_s: seconds of processor time.
        wall_s: seconds of wall time.
        output: what pytest printed.
    """

    status: str
    exit_code: int
    cpu_s: float
    wall_s: float
    output: str


class Runner:
    """Runs test files of a clone in forks (see `forker.py`); use as a context manager."""

    def __init__(self, clone: Clone) -> None:
        self._output = clone.scratch / "output"
        self._arguments = ["-q", "-x", f"--basetemp={clone.scratch / 'pytest'}"]
        for plugin in ("cacheprovider", "xdist", "pytest_cov"):
            self._arguments += ["-p", f"no:{plugin}"]
        errors = clone.scratch / "errors"
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(FORKER)],
                cwd=clone.checkout,
                env=_environment(clone.checkout),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        assert self._process.stdin
        assert self._process.stdout
        self._orders, self._replies = self._process.stdin, self._process.stdout
        line = self._replies.readline()
        if not line:
            sys.exit(f"the process that runs the tests ended:\n{errors.read_text()[-3000:]}")
        state = json.loads(line)
        inside = [Path(origin).is_relative_to(clone.checkout) for origin in state["packages"]]
        if state["threads"] != 1 or state["imported"] or inside != [True, True]:
            sys.exit(f"forks would differ from new processes in {clone.checkout}: {state}")

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.send_signal(signal.SIGINT)  # it ends the tests, which are in another group
        self._process.communicate()

    def run(self, tests: Sequence[str], limits: Limits) -> Outcome:
        """Runs test files until one test fails."""
        order = {
            "arguments": [*self._arguments, *tests],
            "cpu_s": limits.cpu_s,
            "wall_s": limits.wall_s,
            "output": str(self._output),
        }
        print(json.dumps(order), file=self._orders, flush=True)
        reply = json.loads(self._replies.readline())
        return Outcome(**reply, output=self._output.read_text(errors="replace"))


def _environment(checkout: Path) -> dict[str, str]:
    environment = os.environ | QUIET
    for name in UNSET:
        environment.pop(name, None)
    paths = [str(checkout), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment | {"PYTHONPATH": os.pathsep.join(paths)}
