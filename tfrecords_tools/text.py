"""Text from outside: names in one form, and names in messages."""

from __future__ import annotations

import os
import unicodedata

NAMED_IN_MESSAGES = 5


def normalise(name: str) -> str:
    """A label or group as the data set holds it: stripped, in Unicode's composed form (NFC)."""
    return composed(name.strip())


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), in which ids and names of files are compared."""
    return unicodedata.normalize("NFC", name)


def printable(name: str) -> str:
    r"""A file name in UTF-8, undecodable bytes as `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def few(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED_IN_MESSAGES} more" if len(names) > NAMED_IN_MESSAGES else ""
    return ", ".join(names[:NAMED_IN_MESSAGES]) + more
