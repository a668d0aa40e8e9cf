"""The class names of an exported version: one a line, in the order of their labels."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tfrecords_tools.bounded_reading import read_bounded

LABELS_FILE = "labels.txt"


def read_labels(version: Path) -> tuple[str, ...]:
    """Reads the class names of a version, in the order of their labels.

    Raises:
        OSError: there is no such file.
        ValueError: it is no text.
    """
    text = read_bounded(version / "assets" / LABELS_FILE).decode("utf-8")
    return tuple(text.removesuffix("\n").split("\n"))


def table_name(labels: bytes) -> str:
    """Returns the name in the graph of the table with the content of `LABELS_FILE`.

    Tables with the same name in a process are one table, so the name differs if the classes differ.
    """
    return f"labels_{hashlib.sha256(labels).hexdigest()[:16]}"
