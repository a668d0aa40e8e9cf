"""What the cells of a split column mean: the usual words, or values that the user explains."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import SPLITS, TEST, TRAIN, VALIDATION
from tfrecords_tools.sources.layout import split_from_name
from tfrecords_tools.text import normalise

SPLIT_EXCLUDED = "split_excluded"
"""Reason to reject an image whose value of the split column means no split."""
WHOLE_NUMBER = re.compile(r"([0-9]+)\.0*")
"""A whole number as pandas writes it in a column with blank cells."""
MAX_VALUES_IN_MESSAGE = 12


class SplitColumn:
    """Reads the cells of a split column.

    Args:
        column: its name.
        meanings: split by value, "" to leave images out; other values must be words for splits.
    """

    def __init__(self, column: str, meanings: Mapping[str, str]) -> None:
        self._column = column
        self._meanings = {_key(value): split for value, split in meanings.items()}
        self._met: Counter[str] = Counter()
        self._first_unknown = ""

    def read(self, cell: str, place: str) -> str:
        """Returns the split that a cell means; "" for none, or an unknown one (see `check`)."""
        key = _key(cell)
        self._met[key] += 1
        split = self._split(key)
        if split is None:
            self._first_unknown = self._first_unknown or place
        return split or ""

    def check(self, table: object) -> None:
        """Checks the values that were read from `table`.

        Raises:
            InputError: a value has no meaning, or a meaning has no value; the message has them all.
        """
        unknown = sorted(key for key in self._met if self._split(key) is None)
        if unknown:
            raise InputError(
                f"{self._first_unknown}: the split column {self._column} has values that are "
                f"none of {', '.join(SPLITS)}: {self._listed(unknown)}: say what they mean, such "
                f"as --split_values {self._example(unknown)} (a value without a split, such as "
                f"{unknown[0]}=, leaves its images out)"
            )
        if unused := sorted(self._meanings.keys() - self._met.keys()):
            raise InputError(
                f"{table}: split_values explains {_shown(unused[0])}, which the split column "
                f"{self._column} does not have; it has {self._listed(sorted(self._met))}"
            )

    def _split(self, key: str) -> str | None:
        return self._meanings.get(key, split_from_name(key))

    def _listed(self, keys: list[str]) -> str:
        more = len(keys) - MAX_VALUES_IN_MESSAGE
        listed = ", ".join(
            f"{_shown(key)} ({self._met[key]:,} rows)" for key in keys[:MAX_VALUES_IN_MESSAGE]
        )
        return listed + (f" and {more} more" if more > 0 else "")

    def _example(self, unknown: list[str]) -> str:
        """Returns what the values may mean: of several, the rarest are for test and validation."""
        rarest = sorted(unknown, key=self._met.__getitem__) if len(unknown) > 2 else []
        meant = dict(zip(rarest, (TEST, VALIDATION), strict=False))
        return ",".join(f"{key}={meant.get(key, TRAIN)}" for key in unknown[:5])


def parse_split_values(given: str | Mapping[str, str] | None) -> dict[str, str]:
    """Parses what the values of a split column mean, such as "0=test,1=validation,2=train".

    Raises:
        InputError: a part has no "=", a split is unknown, or a value is repeated.
    """
    if isinstance(given, str):
        parts = [part.rpartition("=") for part in given.split(",")]
        if not all(equals for _, equals, _ in parts):
            raise InputError(f"split_values needs VALUE=SPLIT,..., got {given!r}")
        pairs = [(value, split) for value, _, split in parts]
    else:
        pairs = [(str(value), split) for value, split in (given or {}).items()]
    meanings: dict[str, str] = {}
    for value, split in pairs:
        meaning = split_from_name(split) if split.strip() else ""
        if meaning is None or _key(value) in meanings:
            why = "is given twice" if meaning is not None else f"is {split!r}, no split"
            raise InputError(
                f"split_values: {_shown(_key(value))} {why}: each value means one of "
                f"{', '.join(SPLITS)}, or nothing"
            )
        meanings[_key(value)] = meaning
    return meanings


def _key(cell: str) -> str:
    """Returns the form in which values are compared: "1.0" is "1", and case does not count."""
    text = normalise(cell).lower()
    return whole[1] if (whole := WHOLE_NUMBER.fullmatch(text)) else text


def _shown(key: str) -> str:
    return key or "blank"
