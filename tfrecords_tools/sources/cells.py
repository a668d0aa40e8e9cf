"""What the cells of a table mean: an unknown group, a marked class, several labels."""

from __future__ import annotations

import re
from collections.abc import Collection

from tfrecords_tools.errors import InputError
from tfrecords_tools.text import normalise

UNKNOWN_WORDS = frozenset(
    (
        *("", "na", "nan", "null", "nil", "none", "unknown", "unk", "unkn", "missing", "undefined"),
        *("unspecified", "unassigned", "notavailable", "notapplicable", "notknown", "notspecified"),
        *("notassigned", "notgiven", "norecord", "nodata", "noid", "nogroup", "nopatient"),
        *("nolesion", "nolesionid", "nopatientid", "empty", "blank", "anonymous", "anon", "tbd"),
    )
)
"""Words for "not known", in lower case and without blanks and signs."""
ERROR_CELL = re.compile(r"#[A-Z0-9/]+[!?]", re.IGNORECASE)
"""What spreadsheets write where a formula failed, such as #REF!."""
NEGATIVE_PLACEHOLDER = re.compile(r"-(?:1|9+)(?:\.0*)?")
"""A number below 0 that means "not known", such as -1 (pandas) and -999."""
ZERO = re.compile(r"0+(?:\.0*)?")
WHOLE_NUMBER = re.compile(r"[0-9]+(?:\.0*)?")
MARKS = {
    **dict.fromkeys(("", "0", "false", "f"), False),
    **dict.fromkeys(("1", "true", "t"), True),
}
"""What a cell of a one-hot column says, in lower case."""
LIST_CELL = re.compile(r"\{.*\}|\[.*\]|\(.*,.*\)", re.DOTALL)
"""A list, or numbers by label, as Python and JSON write them."""


def is_unknown_group(cell: str) -> bool:
    """Returns whether a cell says that the group is not known: blank, a sign, or a word for it.

    Case, blanks and signs around and within the words do not count: "#N/A", "<NA>", "n.a." and
    "(unknown)" are unknown. Zeros are decided by the whole column: see `zero_is_a_group`.
    """
    text = normalise(cell)
    if NEGATIVE_PLACEHOLDER.fullmatch(text) or ERROR_CELL.fullmatch(text):
        return True
    return re.sub(r"[\W_]", "", text).lower() in UNKNOWN_WORDS


def zero_is_a_group(groups: Collection[str]) -> bool:
    """Returns whether a group "0" is one of a numbered series: all groups are whole numbers."""
    return all(WHOLE_NUMBER.fullmatch(group) for group in groups)


def parse_mark(place: str, column: str, cell: str) -> bool:
    """Returns whether a cell of a one-hot column marks the class.

    Raises:
        InputError: the cell is neither a yes nor a no.
    """
    text = cell.strip().lower()
    if WHOLE_NUMBER.fullmatch(text):
        text = str(int(float(text)))
    if text not in MARKS:
        raise InputError(
            f"{place}: one-hot column {column} must be 0 or 1, got {cell!r} (True and False will "
            "do): correct it, or name the classes by --one_hot_columns if this column is none"
        )
    return MARKS[text]


def labels_in(label: str, known: Collection[str]) -> list[str]:
    """Returns the labels in a cell that names several; an empty list if it names one.

    Args:
        label: the cell.
        known: labels that other cells hold.

    Parts between | or ; are labels if one of them is known. Parts between other signs are labels
    only if all are known, because names such as "nevus, atypical" have commas.
    """
    for separator, enough in ((r"[|;\n]", any), (r"[,/+&]|\s(?:and|or)\s", all)):
        parts = [part for part in (normalise(part) for part in re.split(separator, label)) if part]
        if len(parts) > 1 and enough(part in known for part in parts):
            return parts
    return []
