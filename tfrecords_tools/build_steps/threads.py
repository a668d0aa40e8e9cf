"""Runs the steps of a build in threads: decoders, hashes and files leave Python's lock alone."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tfrecords_tools.build_steps.prepare import Step

IN_FLIGHT_PER_WORKER = 2
"""Pieces of work read ahead for each worker: bounds the memory."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ThreadRunner:
    """Some threads; see `preparation.Runner`."""

    stores_in_shards = True

    def __init__(self, workers: int | None = None) -> None:
        """Starts nothing yet.

        Args:
            workers: threads; None for one per core.
        """
        self.workers = workers or os.cpu_count() or 1

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of all pieces of work, in their order, a bounded number read ahead."""
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
        """The step itself: records go from memory into the shards."""
        return step
