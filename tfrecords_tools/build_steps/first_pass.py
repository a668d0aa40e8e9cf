"""The first pass: reads every image once, spools its record, and keeps a few numbers of it.

An image takes about seventy bytes of memory, plus its names. So a build of millions of images needs
little more memory than one of thousands.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np

from tfrecords_tools.build_steps.contact_sheets import SHEET_IMAGES, THUMBNAIL_SIDE
from tfrecords_tools.build_steps.duplicates import ImageHashes
from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.build_steps.prepare import Task, prepare_chunk
from tfrecords_tools.build_steps.runners import Runner, chunks
from tfrecords_tools.build_steps.spool import Spool
from tfrecords_tools.images.image_file import PreparedImage
from tfrecords_tools.images.metadata import IDENTIFYING
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.progress import Progress
from tfrecords_tools.sources import ImageRecord, Rejection, Source


class ImageFacts:
    """Facts that the first pass keeps about the images. Rows are those of the source.

    Attributes:
        hashes: of all images, to find duplicates.
        rejections: of images that are not good.
        thumbnails: of the first images of each class, by row.
        synthetic: bool[n], whether the file says that a program made the image.
        two_colours: bool[n], whether the image has two colours only, as a mask has.
        re_encoded: bool[n], whether the image is encoded anew.
        num_bytes, num_encoded: int64[n], bytes of the file, and of its image in the data set.
        with_profile: bool[n], whether it has a colour profile, which is not applied.
        identifying: bool[n] for each of `metadata.IDENTIFYING`: whether the file holds it.
    """

    def __init__(self, count: int) -> None:
        self.hashes = ImageHashes.empty(count)
        self.rejections: list[Rejection] = []
        self.thumbnails: dict[int, np.ndarray] = {}
        self.synthetic, self.two_colours = np.zeros((2, count), np.bool_)
        self.re_encoded, self.with_profile = np.zeros((2, count), np.bool_)
        self.num_bytes, self.num_encoded = np.zeros((2, count), np.int64)
        self.identifying = {what: np.zeros(count, np.bool_) for what in IDENTIFYING}
        self._sum = 0

    @property
    def fingerprint(self) -> str:
        """Hash of the good images, their names and their cells, in any order: 64 hex digits."""
        return f"{self._sum:064x}"

    def add(self, row: int, record: ImageRecord, image: PreparedImage) -> None:
        """Adds the facts of a good image."""
        self.hashes.probe[row] = image.probe
        self.hashes.perceptual[row] = image.perceptual
        self.hashes.scale[row] = image.scale
        self.hashes.good[row] = True
        if image.thumbnail is not None:
            self.thumbnails[row] = image.thumbnail
        self.synthetic[row] = image.synthetic
        self.two_colours[row] = image.two_colours
        self.re_encoded[row] = not image.untouched
        self.with_profile[row] = image.has_profile
        self.num_bytes[row], self.num_encoded[row] = image.num_bytes, image.num_encoded
        for what in image.identifying:
            self.identifying[what][row] = True
        # `record` holds all that the tables say about the image.
        fields = f"{record}\0{image.num_bytes}\0{image.checksum}".encode()
        digest = hashlib.sha256(fields).digest()
        self._sum = (self._sum + int.from_bytes(digest)) % 2**256


def read_images(
    source: Source, options: ImageOptions, runner: Runner, spool: Spool, expected: Plan
) -> ImageFacts:
    """Reads every image, in the order of the expected plan, and writes its record to the spool."""
    facts = ImageFacts(len(source.records))
    step = functools.partial(
        prepare_chunk, root=source.root, options=options, columns=source.columns
    )
    results = runner.map(runner.storing(step), chunks(_tasks(source, expected)))
    outcomes = itertools.chain.from_iterable(results)
    places = ((row, split) for split, rows in expected.members.items() for row in rows)
    with Progress(total=len(source.records), unit="images", description="read") as progress:
        for (row, split), outcome in zip(places, outcomes, strict=True):
            if isinstance(outcome, Rejection):
                facts.rejections.append(outcome)
            else:
                spool.write(row, split, outcome)
                facts.add(row, source.records[row], outcome.image)
            progress.update()
    return facts


def _tasks(source: Source, expected: Plan) -> Iterator[Task]:
    label_of = {name: label for label, name in enumerate(expected.class_names)}
    met: Counter[int] = Counter()
    for row in itertools.chain.from_iterable(expected.members.values()):
        record = source.records[row]
        label = label_of[record.label]
        thumbnail = THUMBNAIL_SIDE if met[label] < SHEET_IMAGES else 0
        met[label] += 1
        yield Task(row, record, label, thumbnail)
