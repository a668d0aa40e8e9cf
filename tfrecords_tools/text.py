"""Brings names from outside into one form, and formats names for messages."""

from __future__ import annotations

import os
import unicodedata

MAX_NAMES_IN_MESSAGE = 5


def normalise(name: str) -> str:
    """Returns a label or group as the data set holds it: stripped, in composed form (NFC)."""
    return composed(name.strip())


def composed(name: str) -> str:
    """Returns a name in Unicode's composed form (NFC); ids and file names are compared in it."""
    return unicodedata.normalize("NFC", name)


def printable(name: str) -> str:
    r"""Returns a file name in UTF-8, undecodable bytes as `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def abbreviate(names: list[str]) -> str:
    """Joins the first names, and says how many more there are."""
    more = len(names) - MAX_NAMES_IN_MESSAGE
    return ", ".join(names[:MAX_NAMES_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")
