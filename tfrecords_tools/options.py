"""The options of a build, and their defaults."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping

from tfrecords_tools.errors import InputError

ORIGINAL = "original"
NAME = re.compile("[a-z][a-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """What shapes a data set, beside the images.

    Attributes:
        name: of the data set: [a-z][a-z0-9_]*.
        labels: CSV with one row an image; None takes labels from class folders.
        id_column: its column that names the image file.
        label_column: its column that names the class.
        group_column: its column that names lesion or patient; None where there is none.
        size: side of the square that images are cropped and resized to, in pixels, or "original".
        splits: share of each split, by name; None for `splits.DEFAULT_SPLITS`.
        keep_splits: data set directory whose groups keep their splits.
        min_side: images with a shorter side are rejected, in pixels.
        max_rejected: the build fails when a larger share of the image files is rejected.
        seed: of the splits.
        workers: threads; None for one a core.
    """

    name: str
    labels: str | os.PathLike[str] | None = None
    id_column: str = "image_id"
    label_column: str = "label"
    group_column: str | None = None
    size: int | str = ORIGINAL
    splits: Mapping[str, str | float] | None = None
    keep_splits: str | os.PathLike[str] | None = None
    min_side: int = 8
    max_rejected: float = 0.1
    seed: int = 0
    workers: int | None = None

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            InputError: one of them cannot be used.
        """
        if not NAME.fullmatch(self.name):
            raise InputError(
                f"name {self.name!r} does not fit {NAME.pattern}: small letters, digits and _, "
                "a letter first"
            )
        if self.size != ORIGINAL and not (isinstance(self.size, int) and self.size >= 1):
            raise InputError(f"size must be a number of pixels or {ORIGINAL!r}, got {self.size!r}")
        if self.min_side < 1:
            raise InputError(f"min_side must be at least 1 pixel, got {self.min_side}")
        if not 0 <= self.max_rejected <= 1:
            raise InputError(f"max_rejected must be a share from 0 to 1, got {self.max_rejected}")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers must be at least 1, got {self.workers}")

    @property
    def side(self) -> int | None:
        """Side of the images in pixels; None keeps theirs."""
        return self.size if isinstance(self.size, int) else None
