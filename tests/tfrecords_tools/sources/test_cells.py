"""What cells mean: groups that are not known, marks, several labels in one cell."""

from __future__ import annotations

import pytest

from tests.listings import read, table, touch
from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.cells import is_unknown_group, labels_in, parse_mark

UNKNOWN = (
    *("", " ", "#N/A", "<NA>", "unknown", "-", "?", "n.a.", "missing", "NaN", "NULL", "None", "--"),
    *("(Unknown)", "not available", "Not Known", "no_id", ".", "\u2014", "#REF!", "#VALUE!", "***"),
    *("-1", "-1.0", "-999", "N / A", "[none]", "unk.", "#NAME?", "\u00a0", "No lesion ID"),
)


@pytest.mark.parametrize("cell", UNKNOWN)
def test_words_for_an_unknown_group(cell):
    assert is_unknown_group(cell)


@pytest.mark.parametrize("cell", ["0", "1", "L0", "HAM_0000001", "-17", "P-1", "nano", "unknown7"])
def test_ids_of_groups(cell):
    assert not is_unknown_group(cell)


def rows_of_groups(tmp_path, *groups):
    names = [f"i{number}" for number in range(len(groups))]
    images = touch(tmp_path / "i", *(f"{name}.jpg" for name in names))
    rows = (f"{name},{group},nv" for name, group in zip(names, groups, strict=True))
    return read(images, table(tmp_path / "l.csv", *rows))


@pytest.mark.parametrize(
    ("groups", "known"),
    [
        (("0", "0", "L1", "L2"), (False, False, True, True)),
        (("0", "0", "1", "2"), (True, True, True, True)),
        (("0.0", "1.0", "2.0"), (True, True, True)),
        (("0", "0", "0"), (False, False, False)),
        (("000", "L1", ""), (False, True, False)),
        (("unknown", "?", "P7"), (False, False, True)),
    ],
)
def test_groups_of_a_column(groups, known, tmp_path):
    records = rows_of_groups(tmp_path, *groups).records
    assert tuple(record.has_group for record in records) == known
    unknown = [record for record in records if not record.has_group]
    assert all(record.group == record.image_id for record in unknown)


def test_unknown_groups_are_said(tmp_path):
    (finding,) = rows_of_groups(tmp_path, "unknown", "unknown", "", "0", "P7").findings
    assert finding.text == (
        "lesion_id is 'unknown' in 2 rows, '0' in 1 rows: these images count as images without a "
        "group"
    )


@pytest.mark.parametrize(
    ("cell", "marked"),
    [
        *((cell, True) for cell in ("1", "1.0", "True", "T", " TRUE ", "01")),
        *((cell, False) for cell in ("0", "0.0", "False", "f", "", " ")),
    ],
)
def test_marks(cell, marked):
    assert parse_mark("t.csv, line 2", "MEL", cell) is marked


@pytest.mark.parametrize("cell", ["2", "0.5", "yes", "nan", "-1", "mel"])
def test_cells_that_mark_nothing(cell):
    with pytest.raises(
        InputError, match=rf"line 2: one-hot column MEL must be 0 or 1, got '{cell}'"
    ):
        parse_mark("t.csv, line 2", "MEL", cell)


KNOWN = ("acne", "eczema", "nevus", "melanoma")


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("acne|eczema", 2),
        ("acne; tinea", 2),
        ("acne, eczema, nevus", 3),
        ("acne/eczema", 2),
        ("acne and eczema", 2),
        ("acne + eczema", 2),
        ("nevus, atypical", 0),
        ("acne/rosacea", 0),
        ("tinea|vitiligo", 0),
        ("acne", 0),
        ("hand and foot", 0),
        ("|", 0),
    ],
)
def test_labels_in_a_cell(cell, parts):
    assert len(labels_in(cell, KNOWN)) == parts
