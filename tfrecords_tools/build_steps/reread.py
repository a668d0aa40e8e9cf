"""Reads image files again if the facts of the first pass do not suffice."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from tfrecords_tools.build_steps.near_duplicates import small_grey
from tfrecords_tools.build_steps.runners import Runner, chunks
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import decode, pixels_hash
from tfrecords_tools.images.opening import read_file
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.sources import Source

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The image files of a source that were good in the first pass."""

    source: Source
    options: ImageOptions
    runner: Runner

    def pixels_hashes(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yields `image_file.pixels_hash` of each row."""
        return self._read(pixels_hash, rows)

    def greys(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields `near_duplicates.small_grey` of each row."""
        return self._read(small_grey, rows)

    def _read(
        self, reduce: Callable[[Image.Image], Result], rows: Sequence[int]
    ) -> Iterator[Result]:
        paths = (self.source.root / self.source.records[row].file for row in rows)
        work = functools.partial(_reduce_chunk, reduce=reduce, options=self.options)
        try:
            for results in self.runner.map(work, chunks(paths)):
                yield from results
        except (OSError, Rejected) as error:
            raise InputError(
                f"an image changed or disappeared while the build ran ({error}): start it again"
            ) from error


def _reduce_chunk(
    paths: Sequence[Path], *, reduce: Callable[[Image.Image], Result], options: ImageOptions
) -> list[Result]:
    return [reduce(decode(read_file(path, options.max_pixels), options)) for path in paths]
