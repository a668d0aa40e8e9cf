"""Tables: exact for programs, without formulas for spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest

from tfrecords_tools.csv_writing import csv_bytes, spreadsheet_csv


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", "\n=1", " =1", "＝1"]
)
def test_a_formula_becomes_a_text_for_people_only(text):
    assert rows(spreadsheet_csv(["x"], [[text]])) == [["x"], [f"'{text}"]]
    assert rows(csv_bytes(["x"], [[text]])) == [["x"], [text]]


@pytest.mark.parametrize("cell", ["nevus", "a=b", "'=1", "", "-1", "+2.5e3", "-inf", -3, 0.5, None])
def test_other_cells_are_the_same_in_both(cell):
    assert spreadsheet_csv(["x"], [[cell]]) == csv_bytes(["x"], [[cell]])
