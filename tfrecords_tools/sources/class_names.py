"""Finds class names that mislead: one class in several spellings, or splits in their place."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from tfrecords_tools.records.schema import TRAIN
from tfrecords_tools.sources.layout import split_from_name, split_in_name
from tfrecords_tools.sources.listing import Finding, Source
from tfrecords_tools.text import abbreviate

LOOKALIKES = str.maketrans(
    "\u0430\u0432\u0435\u0451\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0457\u0458\u0455"
    "\u03b1\u03b2\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131",
    "abeekmhopctyxiijsabeikvoptuxi",
)
"""Cyrillic, Greek and Turkish small letters, and the Latin ones that look like them."""
ACCENTS = re.compile("[\u0300-\u036f]")
SEPARATORS = re.compile(r"(?<=[^\W_])[\s_\-\u2010-\u2015]+(?=[^\W_])")
"""Blanks, underscores and hyphens within a name; a last + or - may be part of it, as in HER2-."""
WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)(?:[.,]0*)?")


def spelling_key(name: str) -> str:
    """Returns what names have in common that differ only in spelling.

    The key leaves out case, accents, invisible letters, the kind and number of blanks between
    words, and dots at the end. Letters of other scripts that look like Latin ones become these.
    Whole numbers lose zeros in front and after the point: 1, 01 and 1.0 have one key.
    """
    visible = "".join(letter for letter in name if unicodedata.category(letter) not in ("Cf", "Co"))
    folded = unicodedata.normalize("NFKD", visible).casefold()
    text = ACCENTS.sub("", folded).translate(LOOKALIKES)
    text = SEPARATORS.sub(" ", " ".join(text.split())).strip(" .,;:'\"")
    if number := WHOLE_NUMBER.fullmatch(text):
        return str(int(number[1]))
    return text


def one_in_several_spellings(names: Iterable[str]) -> list[list[str]]:
    """Returns the names of each set of two or more with one `spelling_key`, all sorted."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        by_key[spelling_key(name)].append(name)
    return [same for same in by_key.values() if len(same) > 1]


def find_misleading_names(
    source: Source, meant: Collection[str] = (), *, layout_given: bool = False
) -> Iterator[Finding]:
    """Yields findings about the class names of a source.

    Names in `meant` are no mistakes. If the layout of the folders is given, splits are none.
    """
    meant = set(meant)
    for same in one_in_several_spellings(source.labels):
        if set(same) - meant:
            yield Finding(
                "similar_classes",
                f"classes {', '.join(map(ascii, same))} differ only in spelling: join them by "
                "--label_map, a CSV with columns from,to, or name each in its column to",
                trap=True,
            )
    named = [name for name in sorted(source.labels - meant) if split_in_name(name)]
    exact = [name for name in named if split_from_name(name)]
    if not layout_given and (exact or len({split_in_name(name) for name in named}) > 1):
        yield Finding(
            "split_words",
            f"classes {abbreviate(exact or named)} are named like splits: if they are splits, say "
            "so by --folders, or by --split_column for a table",
            trap=True,
        )
    yield from _strange_splits(source)


def _strange_splits(source: Source) -> Iterator[Finding]:
    """Yields a finding for each given split that has no class in common with training."""
    labels: dict[str | None, set[str]] = defaultdict(set)
    for record in source.records:
        labels[record.split].add(record.label)
    for split, found in labels.items():
        if TRAIN in labels and not found & labels[TRAIN]:
            yield Finding(
                "classes_of_other_splits",
                f"split {split} has classes {abbreviate(sorted(found))}, and none of training "
                f"({abbreviate(sorted(labels[TRAIN]))}): its images may have no labels: take it "
                "out, or name its classes as in training",
                trap=True,
            )
