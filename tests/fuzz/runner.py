"""Runs mutants in a child process: a damaged file may end it, hang it or fill the memory."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

HANG_SECONDS = 60.0
"""Of the process, or twice as many by the clock: other work may slow the machine down."""
MEMORY_BOUND = 512 * 2**20
"""Most bytes that a door may take for a mutant, on top of what the process had before."""
REFUSED, SAME, OTHER = "refused", "same", "other"
TRACEBACK, SILENT, HANG, CRASH, MEMORY = FAULTS = (
    *("traceback", "silent", "hang", "crash", "memory"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Door:
    """A kind of file, and the code that reads it.

    Attributes:
        file: the sound file.
        use: reads it; what it returns is compared.
        refusals: the errors that are one clear line.
        sound: whether another result is a legitimate one; by default none is, because the file has
            a checksum or is compared with something.
        structure: of the mutants, see `mutations.mutate`.
    """

    file: Path
    use: Callable[[], object]
    refusals: tuple[type[BaseException], ...]
    sound: Callable[[object], bool] = lambda result: False
    structure: str = ""


Doors = dict[str, Callable[[Path], Door]]
"""By name, what makes a door in an empty folder."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a door did with a mutant.

    Attributes:
        kind: one of `REFUSED`, `SAME`, `OTHER` and `FAULTS`.
        megabytes: memory taken.
        detail: of a fault or a refusal.
    """

    number: int
    kind: str
    megabytes: float = 0.0
    detail: str = ""


def canonical(value: object) -> object:
    """Returns a value that can be compared, also with arrays in it."""
    if isinstance(value, np.ndarray):
        return (
            value.dtype.str,
            value.shape,
            value.tobytes() if value.dtype != object else list(value),
        )
    if dataclasses.is_dataclass(value):
        return [canonical(getattr(value, each.name)) for each in dataclasses.fields(value)]
    if isinstance(value, dict):
        return {str(key): canonical(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    return repr(value)


def try_mutant(door: Door, number: int, mutant: bytes, expected: object) -> Outcome:
    """Writes a mutant in place of the file, reads it, and judges."""
    door.file.write_bytes(mutant)
    before = _memory("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # starts VmHWM anew
    kind, detail = SAME, ""
    began = time.process_time()
    try:
        result = door.use()
        if canonical(result) != expected:
            kind = OTHER if door.sound(result) else SILENT
            detail = repr(result)[:300] if kind == SILENT else ""
    except door.refusals as error:
        kind, detail = REFUSED, f"{error}"[:200]
        if len(str(error).splitlines()) != 1:
            kind = TRACEBACK  # a message of several lines is not one clear line
    except BaseException:
        kind, detail = TRACEBACK, traceback.format_exc()[-1500:]
    megabytes = max(0, _memory("VmHWM") - before) / 2**20
    if megabytes * 2**20 > MEMORY_BOUND and kind not in FAULTS:
        kind = MEMORY
    if time.process_time() - began > HANG_SECONDS and kind not in FAULTS:
        kind = HANG
    return Outcome(number, kind, round(megabytes, 1), detail)


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def run(
    make: Callable[[], Door], mutate: Callable[[bytes, int], bytes], numbers: range
) -> Iterator[Outcome]:
    """Yields the outcome of each mutant; a child that ends or hangs is started again.

    Args:
        make: makes the door, in the child.
        mutate: makes a mutant of the sound file.
        numbers: of the mutants.
    """
    context = multiprocessing.get_context("fork")
    left = list(numbers)
    while left:
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(make, mutate, left, theirs), daemon=True)
        child.start()
        theirs.close()
        started = False
        while left:
            # The first answer may wait for imports.
            limit = HANG_SECONDS if started else 10 * HANG_SECONDS
            try:
                # Twice, because a process that was stopped for a while finds its time over.
                fine = ours.poll(limit) or ours.poll(limit)
                outcome = ours.recv() if fine else Outcome(left[0], HANG)
            except (EOFError, OSError):
                child.join(10)
                outcome = Outcome(left[0], CRASH, detail=f"exit code {child.exitcode}")
            if outcome is None:
                started = True
                continue
            if isinstance(outcome, str):
                raise RuntimeError(f"the sound file is not read: {outcome}")
            left.pop(0)
            yield outcome
            if outcome.kind in (HANG, CRASH):
                break
        child.kill()
        child.join()


def _child(make, mutate, numbers, pipe) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        door = make()
        whole = _sound_content(door.file)
        expected = canonical(door.use())
    except BaseException:
        pipe.send(traceback.format_exc())
        return
    _limit_memory()
    pipe.send(None)  # ready
    try:
        for number in numbers:
            pipe.send(try_mutant(door, number, mutate(whole, number), expected))
    finally:
        door.file.write_bytes(whole)


def _sound_content(file: Path) -> bytes:
    """Returns the sound file; a child that was killed has left a mutant in its place."""
    kept = file.with_name(f"{file.name}.sound")
    if kept.exists():
        file.write_bytes(kept.read_bytes())
    else:
        kept.write_bytes(file.read_bytes())
    return file.read_bytes()


def _limit_memory() -> None:
    """A mutant that takes far more than the bound must not fill the machine."""
    limit = _memory("VmSize") + 8 * MEMORY_BOUND
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """Returns the figures of a door."""
    counts = Counter(outcome.kind for outcome in outcomes)
    return {
        "mutants": len(outcomes),
        **{kind: counts[kind] for kind in (REFUSED, SAME, OTHER, *FAULTS)},
        "largest_megabytes": max((o.megabytes for o in outcomes), default=0.0),
    }


def load(file: Path) -> list[Outcome]:
    """Reads the outcomes of an earlier run."""
    if not file.exists():
        return []
    return [Outcome(**json.loads(line)) for line in file.read_text().splitlines()]
