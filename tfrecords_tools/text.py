"""Brings names from outside into one form, and formats foreign text for messages."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

MAX_NAMES_IN_MESSAGE = 5
ESCAPED_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories that steer a terminal, end a line or are invisible."""
UNDECODABLE = range(0xDC80, 0xDD00)
"""Surrogates with which Python reads the bytes 0x80 to 0xFF of a file name that is not UTF-8."""
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.0*)?")
"""A whole number, also as pandas writes it in a column that has missing values."""


def normalise(name: str) -> str:
    """Returns a label or group as the data set holds it: stripped, in composed form (NFC)."""
    return composed(name.strip())


def composed(name: str) -> str:
    """Returns a name in Unicode's composed form (NFC); ids and file names are compared in it."""
    return unicodedata.normalize("NFC", name)


def in_order(names: Iterable[str]) -> list[str]:
    """Returns class names sorted: by number if all are whole numbers, else by their letters."""
    names = set(names)
    if all(WHOLE_NUMBER.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)


def printable(name: str) -> str:
    r"""Returns a file name in UTF-8, undecodable bytes as `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def escaped(text: str) -> str:
    r"""Returns a text as one line that every terminal may show.

    Control characters, line ends, invisible and bidirectional marks, and bytes that are not UTF-8
    are written as `\x1b`, `\u202e`. All text that comes from files or servers is shown in this
    form: it can neither steer a terminal nor add a line.
    """
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if unicodedata.category(character) not in ESCAPED_CATEGORIES:
        return character
    code = ord(character)
    if code in UNDECODABLE:
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def exact_number(value: float) -> str:
    """Writes a number so that it reads back as the same number: 1 for 1.0, else all its digits."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def first_line(error: BaseException) -> str:
    """Returns the first line of the text of an error, or its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def abbreviate(names: list[str]) -> str:
    """Joins the first names, and says how many more there are."""
    more = len(names) - MAX_NAMES_IN_MESSAGE
    return ", ".join(names[:MAX_NAMES_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")
