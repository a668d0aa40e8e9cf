"""Prepares all images once, with threads, into a nameless file beside the data set to be.

Memory then does not grow with the images: what stays in it is a line an image.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tfrecords_tools.images import PreparedImage, Rejected, prepare
from tfrecords_tools.progress import track
from tfrecords_tools.sources import ImageRecord, Rejection

IN_FLIGHT_PER_WORKER = 4
"""Images read ahead for each worker: bounds the memory."""


@dataclasses.dataclass(frozen=True)
class Spooled:
    """Where the encoded image of a record lies, and its hashes (see `images.PreparedImage`)."""

    offset: int
    length: int
    pixels_hash: str
    bytes_hash: str


class Spool:
    """Encoded images on disk, by image id; use as a context manager."""

    def __init__(self, directory: Path) -> None:
        """Opens the file.

        Args:
            directory: a folder on the disk that is to hold the images; nothing is seen in it.
        """
        # Closed by __exit__.
        self._file: Any = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115
        self.images: dict[str, Spooled] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def fill(
        self,
        records: tuple[ImageRecord, ...],
        *,
        size: int | None,
        min_side: int,
        workers: int | None,
    ) -> list[Rejection]:
        """Prepares every image; good ones stay here, the others come back.

        Args:
            records: the images.
            size: as in `images.prepare`.
            min_side: as in `images.prepare`.
            workers: threads; None for one a core.

        Returns:
            Why the others were rejected, in the order of the records.
        """

        def work(record: ImageRecord) -> PreparedImage | Rejection:
            try:
                return prepare(record, size=size, min_side=min_side)
            except Rejected as rejected:
                return Rejection(record.file, rejected.reason, rejected.detail)
            except OSError as error:
                return Rejection(record.file, "unreadable", error.strerror or str(error))

        rejections = []
        results = _in_threads(work, records, workers or os.cpu_count() or 1)
        with warnings.catch_warnings():
            # Pillow warns of oddities that do not keep it from reading; each would be a line.
            warnings.simplefilter("ignore")
            for record, result in track(
                results, total=len(records), unit="images", description="read"
            ):
                if isinstance(result, Rejection):
                    rejections.append(result)
                else:
                    self._add(record.image_id, result)
        return rejections

    def read(self, image_id: str) -> bytes:
        """The encoded image of this id."""
        place = self.images[image_id]
        self._file.seek(place.offset)
        return self._file.read(place.length)

    def _add(self, image_id: str, image: PreparedImage) -> None:
        self.images[image_id] = Spooled(
            self._file.tell(), len(image.encoded), image.pixels_hash, image.bytes_hash
        )
        self._file.write(image.encoded)


def _in_threads(
    work: Callable[[ImageRecord], PreparedImage | Rejection],
    records: Iterable[ImageRecord],
    workers: int,
) -> Iterator[tuple[ImageRecord, PreparedImage | Rejection]]:
    """Results in the order of the records, with a bounded number read ahead."""
    waiting: deque[tuple[ImageRecord, Future[PreparedImage | Rejection]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for record in records:
            waiting.append((record, pool.submit(work, record)))
            if len(waiting) > IN_FLIGHT_PER_WORKER * workers:
                oldest, future = waiting.popleft()
                yield oldest, future.result()
        for oldest, future in waiting:
            yield oldest, future.result()
