"""Runs the steps of a build as Apache Beam pipelines, for data that outgrow one machine.

Every worker must see the image folder and the data set directory under the same paths. Tasks and
results are files in the directory that becomes the data set; a pipeline holds only numbers. A
worker that repeats a task writes the same files again.
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
from tfrecords_tools.build_steps.runners import chunks
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.tfrecord import RecordWriter
from tfrecords_tools.records.writer import PART_SUFFIX, Place

CHUNKS_PER_FILE = 32
"""Tasks in a file; a worker takes one file at a time."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class BeamRunner:
    """A runner on Apache Beam, with options such as "runner=DirectRunner,direct_num_workers=2".

    Raises:
        InputError: Beam does not know an option.
    """

    def __init__(self, pipeline_options: str, directory: Path) -> None:
        flags = [f"--{option.strip()}" for option in pipeline_options.split(",") if option.strip()]
        self._options = PipelineOptions(flags)
        if unknown := _unknown(flags):
            raise InputError(f"Apache Beam does not know {', '.join(unknown)}")
        self._directory = directory

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yields the result of each item, in order."""
        exchange = self._directory / f"exchange-{uuid.uuid4().hex}"
        exchange.mkdir()
        try:
            count = _write_items(items, exchange)
            step = functools.partial(_work, work=work, exchange=exchange)
            if count > 1:
                self._run(step, count)
            elif count:
                step(0)  # a pipeline for one worker takes longer
            for number in range(count):
                yield from pickle.loads((exchange / f"results-{number}").read_bytes())
        finally:
            shutil.rmtree(exchange, ignore_errors=True)

    def storing(self, step: Step) -> Step:
        """Returns a step that also writes its records into a file."""
        return functools.partial(_store, step=step, directory=self._directory)

    def _run(self, work: Callable[[int], None], count: int) -> None:
        with beam.Pipeline(options=self._options) as pipeline:
            numbers = pipeline | "Numbers" >> beam.Create(range(count))
            # Without this, Beam fuses numbers and work into one step on one worker.
            spread = numbers | "Spread" >> beam.Reshuffle()
            _ = spread | "Work" >> beam.Map(work)


def _write_items(items: Iterable[Any], exchange: Path) -> int:
    """Writes the tasks into numbered files; returns the number of files."""
    count = 0
    for count, bundle in enumerate(chunks(items, CHUNKS_PER_FILE), 1):
        (exchange / f"items-{count - 1}").write_bytes(pickle.dumps(bundle))
    return count


def _work(number: int, *, work: Callable[[Any], Any], exchange: Path) -> None:
    """Does the tasks of one file, on a worker."""
    items = pickle.loads((exchange / f"items-{number}").read_bytes())
    temporary = exchange / f"{uuid.uuid4().hex}.part"
    temporary.write_bytes(pickle.dumps([work(item) for item in items]))
    temporary.rename(exchange / f"results-{number}")


def _store(tasks: list[Task], *, step: Step, directory: Path) -> list[Outcome]:
    """Runs a step on a worker; writes its records into a file named after the first task."""
    outcomes = step(tasks)
    file = f"spool-{tasks[0].row:09d}{PART_SUFFIX}"
    temporary = directory / f"{uuid.uuid4().hex}{PART_SUFFIX}"
    stored = []
    with RecordWriter(temporary) as writer:
        for outcome in outcomes:
            if isinstance(outcome, Prepared) and not isinstance(outcome.record, Place):
                place = Place(file, writer.write(*outcome.record))
                outcome = dataclasses.replace(outcome, record=place)
            stored.append(outcome)
    temporary.rename(directory / file)
    return stored


def _unknown(flags: list[str]) -> list[str]:
    """Returns the flags that no options class of Beam defines."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    return parser.parse_known_args(flags)[1]
