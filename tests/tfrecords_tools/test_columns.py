"""Extra columns: names, kinds, and cells."""

from __future__ import annotations

import math

import pytest

from tfrecords_tools.columns import parse_cell, parse_columns
from tfrecords_tools.errors import InputError
from tfrecords_tools.schema import Column


def test_columns_as_text():
    assert parse_columns("age:float, sex ,n : int") == (
        Column("age", "float"),
        Column("sex", "text"),
        Column("n", "int"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "''"),
        ("age,", "''"),
        ("age:number", "kind 'number'; there are text, int, float"),
        ("label", "none of image, label, image_id"),
        ("extras", "none of image"),
        ("two words", "'two words'"),
        ("1st", "'1st'"),
        ("grün", "'grün'"),
        ("age,age:int", "asked for twice"),
    ],
)
def test_columns_that_cannot_be(text, told):
    with pytest.raises(InputError, match=told):
        parse_columns(text)


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "NaN", "null", "None"])
def test_missing(cell):
    assert parse_cell(cell, Column("x", "text"), "") == ""
    assert parse_cell(cell, Column("x", "int"), "") == -1
    assert math.isnan(parse_cell(cell, Column("x", "float"), ""))


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        (" unknown ", "text", "unknown"),
        ("007", "text", "007"),
        ("007", "int", 7),
        (str(2**63 - 1), "int", 2**63 - 1),
        ("45", "float", 45.0),
        ("-1.5e3", "float", -1500.0),
    ],
)
def test_values(cell, kind, value):
    found = parse_cell(cell, Column("x", kind), "")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("old", "float"), ("inf", "float"), ("4.5", "int"), ("-1", "int"), (str(2**63), "int")],
)
def test_cells_that_cannot_be_read(cell, kind):
    with pytest.raises(InputError, match=rf"l\.csv, line 7: age is '{cell}'"):
        parse_cell(cell, Column("age", kind), "l.csv, line 7")
