"""Runners do the work of a build: threads (here), or Apache Beam (see `beam`)."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from tfrecords_tools.build_steps.prepare import Step

CHUNK_ITEMS = 16
"""Images or records in one task: enough that passing a task to a thread costs little."""
IN_FLIGHT_PER_WORKER = 2
"""Tasks read ahead for each worker; this bounds the memory."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Runner(Protocol):
    """Applies work to items."""

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yields the result of each item, in order."""

    def storing(self, step: Step) -> Step:
        """Returns the step in a form that stores its records where the runner finds them again."""


class ThreadRunner:
    """Threads (None: one per core); decoders, hashes and files release Python's lock."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yields the result of each item, in order; reads a bounded number of items ahead."""
        waiting: deque[Future[Result]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > IN_FLIGHT_PER_WORKER * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def storing(self, step: Step) -> Step:
        """Returns the step itself, because its records go from memory into the shards."""
        return step


def chunks(items: Iterable[Item], size: int = CHUNK_ITEMS) -> Iterator[list[Item]]:
    """Yields the items in lists of `size`; the last one may be shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
