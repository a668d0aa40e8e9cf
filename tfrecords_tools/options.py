"""The options of a build, and their defaults."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence

from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import check_columns, parse_columns
from tfrecords_tools.paths import real_path
from tfrecords_tools.records.schema import Column

ORIGINAL = "original"
RESIZE_MODES = CROP, PAD, SQUASH = ("crop", "pad", "squash")
ENCODINGS = PNG, JPEG = ("png", "jpeg")
RUNNERS = THREADS, BEAM = ("threads", "beam")
TABLE_OPTIONS = (
    *("one_hot", "one_hot_columns", "unmarked_class", "metadata", "join_column"),
    *("group_column", "split_column", "extra_columns"),
)
"""Options that need a table."""
DATASET_NAME = re.compile("[a-z][a-z0-9_]*")
LONGEST_NAME = 100
"""Most letters of the name of a data set. File names also hold the split and a number."""
TRAINABLE_SIDES = (32, 64, 128, 256)
"""Sides of square images, in pixels, that a GAN of skin_synth can be trained on."""

PathLike = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """Size, encoding and limits of each image.

    Attributes:
        size: side of the square that the image becomes, in pixels; None keeps the image.
        resize, encoding, jpeg_quality, min_side, max_pixels, keep_metadata: as in `BuildOptions`.
    """

    size: int | None = None
    resize: str = CROP
    encoding: str = PNG
    jpeg_quality: int = 95
    min_side: int = 8
    max_pixels: int = 100_000_000
    keep_metadata: bool = False


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """Options of a build.

    Attributes:
        name: name of the data set: `[a-z][a-z0-9_]*`.
        labels: CSV with one row per image; None takes labels from class folders.
        id_column, label_column: its columns that name the image file and the class.
        one_hot: whether the labels are columns of 0 and 1, one per class.
        one_hot_columns: names of these columns, with commas or in a list; None takes all that no
            other option names.
        unmarked_class: class of the rows that mark no one-hot column; None rejects them.
        metadata: second CSV, joined by the id, for columns that `labels` lacks.
        join_column: column that joins the tables; None for `id_column`. If it is another, such as
            lesion_id, `metadata` has a row for each image and `labels` need none.
        group_column: names lesion or patient; None if unknown.
        split_column: gives the split; None assigns splits.
        split_values: split by value of `split_column`, such as "0=test,1=validation,2=train"; ""
            leaves images out. None: the values are the usual words.
        extra_columns: columns that become features: "age:float,sex", or kind by name.
        label_map: CSV with columns from,to that merges, renames and leaves out classes.
        folders: meaning of each level of folders, such as "split/class/group" (see
            `sources.layout`); None guesses it. With `labels` it has no class.
        follow_links: whether links to folders, and out of the image folder, are followed.
        size: side of the square that images become, in pixels, or "original".
        resize: "crop", "pad" or "squash".
        encoding: format of images that do not keep their bytes, "png" or "jpeg".
        jpeg_quality: 1 to 100.
        splits: share of each split, by name; None for `splits.DEFAULT_SPLITS`.
        keep_splits: data set directory whose groups and images keep their splits.
        keep_metadata: whether images that keep their bytes also keep EXIF, XMP, IPTC and comments,
            with the names and places in them; for size "original".
        min_side: images with a shorter side are rejected, in pixels.
        max_pixels: larger images are rejected before they are decoded.
        max_rejected: the build fails if a larger share of the image files is rejected.
        accept_findings: whether a data set that would mislead is built nevertheless.
        seed: seed of splits and orders.
        workers: threads; None for one per core.
        runner: "threads" or "beam".
        beam_pipeline_options: such as "runner=DirectRunner,direct_num_workers=2".

    Raises:
        InputError: a value cannot be used.
    """

    name: str
    labels: PathLike | None = None
    id_column: str = "image_id"
    label_column: str = "label"
    one_hot: bool = False
    one_hot_columns: str | Sequence[str] | None = None
    unmarked_class: str | None = None
    metadata: PathLike | None = None
    join_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    split_values: str | Mapping[str, str] | None = None
    extra_columns: str | Mapping[str, str] | None = None
    label_map: PathLike | None = None
    folders: str | None = None
    follow_links: bool = False
    size: int | str = ORIGINAL
    resize: str = ImageOptions.resize
    encoding: str = ImageOptions.encoding
    jpeg_quality: int = ImageOptions.jpeg_quality
    keep_metadata: bool = ImageOptions.keep_metadata
    splits: Mapping[str, str | float] | None = None
    keep_splits: PathLike | None = None
    min_side: int = ImageOptions.min_side
    max_pixels: int = ImageOptions.max_pixels
    max_rejected: float = 0.1
    accept_findings: bool = False
    seed: int = 0
    workers: int | None = None
    runner: str = THREADS
    beam_pipeline_options: str = ""

    def __post_init__(self) -> None:
        if not DATASET_NAME.fullmatch(self.name):
            raise InputError(
                f"name {self.name!r} does not fit {DATASET_NAME.pattern}: small letters, digits "
                "and _, a letter first"
            )
        if len(self.name) > LONGEST_NAME:
            raise InputError(
                f"name {self.name[:20]!r}... has {len(self.name):,} letters and is part of the "
                f"names of files: give at most {LONGEST_NAME}"
            )
        self._check_images()
        self._check_tables()
        if not 0 <= self.max_rejected <= 1:
            raise InputError(f"max_rejected must be a share from 0 to 1, got {self.max_rejected}")
        for name, unit in (("min_side", " pixel"), ("max_pixels", ""), ("workers", "")):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{name} must be at least 1{unit}, got {value}")
        self._check_choice("runner", RUNNERS)
        if self.beam_pipeline_options and self.runner != BEAM:
            raise InputError(f"beam_pipeline_options are for runner {BEAM!r}, got {self.runner!r}")

    @property
    def side(self) -> int | None:
        """Side of the images in pixels; None keeps their sizes."""
        return self.size if isinstance(self.size, int) else None

    @property
    def images(self) -> ImageOptions:
        """The options that concern each image."""
        names = {field.name for field in dataclasses.fields(ImageOptions)} - {"size"}
        return ImageOptions(size=self.side, **{name: getattr(self, name) for name in names})

    @property
    def columns(self) -> tuple[Column, ...]:
        """The extra columns."""
        if not self.extra_columns:
            return ()
        if isinstance(self.extra_columns, str):
            return parse_columns(self.extra_columns)
        return tuple(Column(name, kind) for name, kind in self.extra_columns.items())

    @property
    def class_columns(self) -> tuple[str, ...]:
        """Names of the one-hot columns; none if they are not given."""
        given = self.one_hot_columns or ()
        names = next(csv.reader([given]), []) if isinstance(given, str) else given
        return tuple(name.strip() for name in names)

    def _check_images(self) -> None:
        if self.size != ORIGINAL and not (isinstance(self.size, int) and self.size >= 1):
            raise InputError(f"size must be a number of pixels or {ORIGINAL!r}, got {self.size!r}")
        if self.side and self.side**2 > self.max_pixels:
            raise InputError(
                f"size {self.side:,} makes images of {self.side**2:,} pixels, and max_pixels is "
                f"{self.max_pixels:,}: choose a smaller size, or raise max_pixels"
            )
        self._check_choice("resize", RESIZE_MODES)
        self._check_choice("encoding", ENCODINGS)
        if self.keep_metadata and self.size != ORIGINAL:
            raise InputError(
                f"keep_metadata is for size {ORIGINAL!r}: resized images have no metadata, got "
                f"size {self.size}"
            )
        if not 1 <= self.jpeg_quality <= 100:
            raise InputError(f"jpeg_quality must be from 1 to 100, got {self.jpeg_quality}")

    def _check_tables(self) -> None:
        check_columns(self.columns)
        if self.labels is None:
            for name in TABLE_OPTIONS:
                if getattr(self, name):
                    raise InputError(f"{name} needs a CSV by labels; class folders have none")
        if self.split_values and not self.split_column:
            raise InputError("split_values explains the values of split_column: give both")
        for name, other in (
            ("one_hot_columns", "one_hot"),
            ("unmarked_class", "one_hot"),
            ("join_column", "metadata"),
        ):
            if getattr(self, name) and not getattr(self, other):
                raise InputError(f"{name} needs {other}")
        for name in ("splits", "keep_splits"):
            if self.split_column and getattr(self, name):
                raise InputError(f"split_column gives the splits: leave {name} out")

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        if (value := getattr(self, name)) not in choices:
            raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def data_set_name(folder: PathLike) -> str:
    """Returns the name of a folder as that of a data set, such as isic_2019 for `ISIC 2019`."""
    words = re.sub("[^a-z0-9]+", "_", real_path(folder).name.lower()).strip("_")
    name = words if DATASET_NAME.fullmatch(words) else f"images_{words}"
    return name[:LONGEST_NAME].rstrip("_")
