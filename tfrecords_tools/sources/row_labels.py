"""Reads the label of each row of a table: from one column, or from one-hot columns."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import is_missing
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import listing
from tfrecords_tools.sources.cells import LIST_CELL, labels_in, parse_mark
from tfrecords_tools.sources.csv_reading import CsvTable
from tfrecords_tools.sources.listing import Finding
from tfrecords_tools.text import abbreviate, normalise

Problem = tuple[str, str]
"""Reason and detail of a rejection."""
LABEL_CONFLICT, LABEL_MISSING = "label_conflict", "label_missing"
NONE = "none"
"""In lower case; Python writes it for a missing value, and people for a class."""
MIN_FLAGGED = 2
"""Rows that mark a column and another one, from which on the column may be no class."""


class RowLabels:
    """The labels of a table, in the order of its rows.

    Args:
        others: columns that are no classes.
        named: names that the label map gives, which are classes whatever they look like.

    Raises:
        InputError: there is no such column.
    """

    def __init__(
        self,
        table: CsvTable,
        options: BuildOptions,
        others: Collection[str],
        named: Collection[str],
    ) -> None:
        self._table, self._options, self._named = table, options, frozenset(named)
        self._one_hot = self._one_hot_columns(others) if options.one_hot else ()
        if not options.one_hot:
            check_column(options.label_column, table)
        self._raw_labels: dict[str, set[str]] = defaultdict(set)
        for name in self._one_hot:
            self._raw_labels[normalise(name)].add(name)
        self._marked: Counter[str] = Counter()
        self._marked_alone: Counter[str] = Counter()
        self._missing_words: Counter[str] = Counter()

    def read(self, place: str, cells: Mapping[str, str]) -> tuple[str, Problem | None]:
        """Returns the label of a row, and the reason and detail if it has no label."""
        if self._options.one_hot:
            marked = [
                column for column in self._one_hot if parse_mark(place, column, cells[column])
            ]
            self._marked.update(marked)
            if len(marked) > 1:
                return "", (LABEL_CONFLICT, f"its row marks {' and '.join(marked)}")
            self._marked_alone.update(marked)
            raw = marked[0] if marked else self._options.unmarked_class or ""
            missing = (
                f"its row of {self._table.path.name} marks no class (--unmarked_class NAME gives "
                "such rows a class)"
            )
        else:
            raw = cells[self._options.label_column]
            found = repr(raw) if raw.strip() else "empty"
            missing = f"{self._options.label_column} is {found}"
        label = normalise(raw)
        if not label or (
            is_missing(label) and not self._options.one_hot and label not in self._named
        ):
            self._missing_words.update([label] if label else [])
            return "", (LABEL_MISSING, missing)
        if LIST_CELL.fullmatch(label) and not self._options.one_hot:
            raise InputError(
                f"{place}: {self._options.label_column} is {raw!r}, a list or numbers by label: "
                "write one label into each row"
            )
        self._raw_labels[label].add(raw)
        return label, None

    def finish(self) -> tuple[frozenset[str], dict[str, Problem]]:
        """Returns the names of all classes, and the problem of each label that names several.

        Raises:
            InputError: a one-hot column is no class, or two names become one.
        """
        self._check_flags()
        listing.check_collisions(self._raw_labels)
        several = {} if self._one_hot else _several(set(self._raw_labels) - self._named)
        problems = {
            label: (LABEL_CONFLICT, f"its row names {len(parts)} classes: {', '.join(parts)}")
            for label, parts in several.items()
        }
        return frozenset(self._raw_labels) - set(several), problems

    def findings(self) -> Iterator[Finding]:
        """Yields a finding for each word that was taken as a missing label."""
        for word, count in sorted(self._missing_words.items()):
            yield Finding(
                "missing_labels",
                f"{self._options.label_column} is {word!r} in {count:,} rows, which were rejected "
                f"as {LABEL_MISSING}: if this is a class, say so by --label_map, a CSV with "
                f"columns from,to and a row {word},NAME; a row with a blank NAME leaves it out",
                trap=word.lower() == NONE,
            )

    def _one_hot_columns(self, others: Collection[str]) -> tuple[str, ...]:
        if chosen := self._options.class_columns:
            for column in chosen:
                check_column(column, self._table)
            return chosen
        columns = tuple(column for column in self._table.columns if column not in others)
        if len(columns) + bool(self._options.unmarked_class) < 2:
            raise InputError(
                f"{self._table.path} has no one-hot columns besides {', '.join(sorted(others))}"
            )
        return columns

    def _check_flags(self) -> None:
        """Checks that no one-hot column is marked only in rows of other classes."""
        for column, count in self._marked.items():
            if count >= MIN_FLAGGED and not self._marked_alone[column]:
                raise InputError(
                    f"{self._table.path}: each of the {count:,} rows that mark {column} marks "
                    "another column too: if it is no class, name the classes by --one_hot_columns"
                )


def check_column(column: str, table: CsvTable) -> None:
    """Checks that a table has a column.

    Raises:
        InputError: it does not.
    """
    if column not in table.columns:
        names = abbreviate(list(table.columns)) or "none"
        raise InputError(
            f"{table.path} has no column {column!r}; it has {names} (its first line names the "
            "columns)"
        )


def _several(labels: Collection[str]) -> dict[str, list[str]]:
    """Returns the labels that name several, and their parts."""
    parts = Counter(part for label in labels for part in _parts(label))
    known = {*labels, *(part for part, count in parts.items() if count > 1)}
    found = {label: labels_in(label, known - {label}) for label in labels}
    return {label: of for label, of in found.items() if of}


def _parts(label: str) -> Iterable[str]:
    return {normalise(part) for part in re.split("[|;]", label)} if "|" in label else ()
