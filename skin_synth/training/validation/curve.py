"""The validation curve: kernel distance and coverage against images seen, kept as a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfrecords_tools.atomic import new_file
from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.errors import InputError

WHOLE = ""
"""Label of all classes together; no class can have this name."""


@dataclasses.dataclass(frozen=True)
class Point:
    """The distance of synthetic images from real ones, for one class or all.

    Attributes:
        images: images that the run had seen.
        label: name of the class, or `WHOLE`.
        n: number of real images, and of synthetic images.
        kid: kernel distance.
        coverage: share of the real images; None if there are too few of them.
    """

    images: int
    label: str
    n: int
    kid: float
    coverage: float | None


CURVE_COLUMNS = ("images", "class", "n", "kid", "coverage")
"""Columns of the table, in the order of the fields of `Point`."""


def mean_kid(points: Iterable[Point]) -> float:
    """Averages the kernel distance over classes; a rare class counts as much as a frequent one.

    Args:
        points: of one validation; if no class has a point, the point of all classes is taken.
    """
    points = list(points)
    return float(np.mean([p.kid for p in points if p.label != WHOLE] or [p.kid for p in points]))


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of a run, in the order of images seen: one for all classes, then one per class."""

    points: tuple[Point, ...] = ()

    def plus(self, points: Iterable[Point]) -> Curve:
        """Returns the curve with the points of one more validation."""
        return Curve((*self.points, *points))

    def up_to(self, images: int) -> Curve:
        """Returns the curve as it was after this many images."""
        return Curve(tuple(point for point in self.points if point.images <= images))

    def of(self, label: str) -> list[Point]:
        """Returns the points of one class, or those of all classes (`WHOLE`)."""
        return [point for point in self.points if point.label == label]

    def save(self, path: Path) -> None:
        """Writes the table, complete or not at all; numbers keep all their digits."""
        rows = map(dataclasses.astuple, self.points)
        with new_file(path) as temporary:
            temporary.write_bytes(csv_bytes(CURVE_COLUMNS, rows))

    @classmethod
    def load(cls, path: Path) -> Curve:
        """Reads a curve that `save` wrote; an empty one without a file.

        Raises:
            InputError: the file holds something else.
        """
        if not path.exists():
            return cls()
        try:
            text = io.StringIO(read_bounded(path).decode("utf-8"), newline="")
            rows = csv.DictReader(text, strict=True)
            if rows.fieldnames != list(CURVE_COLUMNS):
                raise ValueError(f"columns {rows.fieldnames}")
            return cls(tuple(_point(row) for row in rows))
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise InputError(
                f"{path} is not the table of a validation curve ({error!r}): move it away, and the "
                "curve starts anew"
            ) from error


class CurveFile:
    """Knows the last KID of a run while another callback writes its curve."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_at: int | None = None
        self._kid: float | None = None

    def last_kid(self) -> float | None:
        """Returns the mean KID over classes of the last validation; None before the first."""
        changed_at = self.path.stat().st_mtime_ns if self.path.exists() else None
        if changed_at != self._read_at:
            self._read_at = changed_at
            points = Curve.load(self.path).points
            newest = [point for point in points if point.images == points[-1].images]
            self._kid = mean_kid(newest) if newest else None
        return self._kid


def _point(row: dict[str, str]) -> Point:
    if None in row:
        raise ValueError(f"a row has more than {len(CURVE_COLUMNS)} cells")
    images, label, n, kid, coverage = (row[name] for name in CURVE_COLUMNS)
    share = float(coverage) if coverage else None
    point = Point(int(images), label, int(n), float(kid), share)
    if (
        not 0 <= point.images < 2**63
        or not 0 < point.n < 2**63
        or not math.isfinite(point.kid)
        or not (share is None or 0 <= share <= 1)
    ):
        raise ValueError(f"{point} is out of range")
    return point
