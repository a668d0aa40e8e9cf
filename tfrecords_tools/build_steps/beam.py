"""Runs the steps of a build as Apache Beam pipelines, for data that outgrow one machine.

The one file that imports Beam (extra `[beam]`). Every worker must see the image folder and the data
set directory under the same paths. Work and results are files in the directory that becomes the
data set: a pipeline holds no more than numbers, and a worker that is stopped and does its work
again writes the same files again.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import pickle
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from tfrecords_tools.build_steps.prepare import Outcome, Prepared, Step, Task
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.tfrecord import RecordWriter
from tfrecords_tools.records.writer import PART, Place

CHUNKS_PER_ITEM = 32
"""Pieces of work that a worker takes at a time: each costs three small files."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class BeamRunner:
    """A Beam runner; see `preparation.Runner`."""

    stores_in_shards = False

    def __init__(self, pipeline_options: str, directory: Path) -> None:
        """Reads the options.

        Args:
            pipeline_options: "runner=DirectRunner,direct_num_workers=2" or so, as TFDS takes them.
            directory: where work, results and spooled records are to lie.

        Raises:
            InputError: Beam does not know an option.
        """
        flags = [f"--{option.strip()}" for option in pipeline_options.split(",") if option.strip()]
        self._options = PipelineOptions(flags)
        if unknown := _unknown(flags):
            raise InputError(f"Apache Beam does not know {', '.join(unknown)}")
        self._directory = directory

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of all pieces of work, in their order."""
        exchange = self._directory / f"exchange-{uuid.uuid4().hex}"
        exchange.mkdir()
        try:
            count = _hand_over(items, exchange)
            step = functools.partial(_work, work=work, exchange=exchange)
            if count > 1:
                self._run(step, count)
            elif count:
                step(0)  # to start a pipeline for one worker would take longer
            for number in range(count):
                yield from pickle.loads(_results(exchange, number).read_bytes())
        finally:
            shutil.rmtree(exchange, ignore_errors=True)

    def storing(self, step: Step) -> Step:
        """The step, after which its records lie in a file of their own."""
        return functools.partial(_store, step=step, directory=self._directory)

    def _run(self, work: Callable[[int], None], count: int) -> None:
        with beam.Pipeline(options=self._options) as pipeline:
            numbers = pipeline | "Numbers" >> beam.Create(range(count))
            # Without it, the numbers and the work would be one step, done by one worker.
            spread = numbers | "Spread" >> beam.Reshuffle()
            _ = spread | "Work" >> beam.Map(work)


def _hand_over(items: Iterable[Any], exchange: Path) -> int:
    """Writes the work into numbered files; returns how many."""
    count = 0
    bundle: list[Any] = []
    for item in items:
        bundle.append(item)
        if len(bundle) == CHUNKS_PER_ITEM:
            _items(exchange, count).write_bytes(pickle.dumps(bundle))
            bundle, count = [], count + 1
    if bundle:
        _items(exchange, count).write_bytes(pickle.dumps(bundle))
        count += 1
    return count


def _work(number: int, *, work: Callable[[Any], Any], exchange: Path) -> None:
    """Does one file of work, on a worker."""
    results = [work(item) for item in pickle.loads(_items(exchange, number).read_bytes())]
    temporary = exchange / f"{uuid.uuid4().hex}.part"
    temporary.write_bytes(pickle.dumps(results))
    temporary.rename(_results(exchange, number))


def _store(tasks: list[Task], *, step: Step, directory: Path) -> list[Outcome]:
    """Does a step, on a worker, and writes its records into a file named after the first task."""
    outcomes = step(tasks)
    file = f"spool-{tasks[0].row:09d}{PART}"
    temporary = directory / f"{uuid.uuid4().hex}{PART}"
    stored = []
    with RecordWriter(temporary) as writer:
        for outcome in outcomes:
            if isinstance(outcome, Prepared) and not isinstance(outcome.record, Place):
                place = Place(file, writer.write(*outcome.record))
                outcome = dataclasses.replace(outcome, record=place)
            stored.append(outcome)
    temporary.rename(directory / file)
    return stored


def _items(exchange: Path, number: int) -> Path:
    return exchange / f"items-{number:06d}.pickle"


def _results(exchange: Path, number: int) -> Path:
    return exchange / f"results-{number:06d}.pickle"


def _unknown(flags: list[str]) -> list[str]:
    """Flags that no class of options of this Beam defines."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    return parser.parse_known_args(flags)[1]
