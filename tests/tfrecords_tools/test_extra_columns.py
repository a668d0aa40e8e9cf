"""Extra columns: their names and kinds, and what their cells mean."""

from __future__ import annotations

import math

import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import check_columns, parse_cell, parse_columns
from tfrecords_tools.records.schema import MISSING, RESERVED_NAMES, Column, Record, serialize_record


def test_text_is_the_kind_where_none_is_given():
    assert parse_columns(" age : float ,sex,n:int") == (
        Column("age", "float"),
        Column("sex", "text"),
        Column("n", "int"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "extra column ''"),
        ("age,", "extra column ''"),
        (":int", "extra column ''"),
        ("2nd", "'2nd': the name must be letters, digits and _"),
        ("age approx", "'age approx'"),
        ("größe", "'größe'"),
        ("a/b", "'a/b'"),
        ("age:double", "kind 'double'; there are text, int, float"),
        ("age:int:float", "kind 'int:float'"),
        ("age,age:int", "'age' is given twice"),
    ],
)
def test_columns_that_cannot_be(text, message):
    with pytest.raises(InputError, match=message):
        parse_columns(text)


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_names_of_records_are_taken(name):
    with pytest.raises(InputError, match=f"'{name}'.* none of image, label"):
        check_columns((Column(name),))


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        (" head/neck ", "text", "head/neck"),
        ("0", "text", "0"),
        ("nano", "text", "nano"),
        ("55.0", "float", 55.0),
        (" -1e-3 ", "float", -0.001),
        ("0", "int", 0),
        (" 12 ", "int", 12),
        (str(2**63 - 1), "int", 2**63 - 1),
    ],
)
def test_cells(cell, kind, value):
    parsed = parse_cell(cell, Column("x", kind), "here")
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("cell", ["", "  ", "NA", "n/a", "nan", "NaN", "NULL", "None"])
@pytest.mark.parametrize("kind", MISSING)
def test_missing_cells(cell, kind):
    assert parse_cell(cell, Column("x", kind), "here") is MISSING[kind]


def test_values_that_mean_no_value():
    assert (MISSING["text"], MISSING["int"]) == ("", -1)
    assert math.isnan(MISSING["float"])


@pytest.mark.parametrize(
    ("cell", "kind", "message"),
    [
        ("fifty", "float", "'fifty': could not convert"),
        ("inf", "float", "'inf': a float must be finite"),
        ("-Infinity", "float", "must be finite"),
        ("1e999", "float", "must be finite"),
        ("3.5e38", "float", "must be finite and fit 32 bits"),
        ("-1e39", "float", "must be finite and fit 32 bits"),
        ("1,5", "float", "'1,5'"),
        ("-7", "int", r"an int must be in \[0, 2\*\*63\), or -1 if it is missing"),
        (str(2**63), "int", "an int must be in"),
        ("3.5", "int", r"'3\.5'"),
        ("1_0", "int", "'1_0': a number has no underscore"),
        ("1_0", "float", "'1_0': a number has no underscore"),
    ],
)
def test_cells_that_cannot_be_read(cell, kind, message):
    with pytest.raises(InputError, match=rf"^t\.csv, line 7: x is .*{message}"):
        parse_cell(cell, Column("x", kind), "t.csv, line 7")


def test_largest_float_that_a_record_can_hold():
    value = parse_cell("3.4028234e38", Column("x", "float"), "here")
    assert serialize_record(Record(b"", 0, "", "", extras={"x": value}))
