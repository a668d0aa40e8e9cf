"""CSVs come back cell by cell, whatever stands in a cell."""

from __future__ import annotations

import csv
import io

import pytest

from tests.tfrecords_tools.conftest import noise
from tfrecords_tools.csv_writing import csv_bytes


def parsed(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("cell", ["a\rb", "\r", "a\r\nb", "a\nb", 'a "b", c', " a ", "", "ü"])
def test_cells_come_back(cell):
    assert parsed(csv_bytes(("x", "y"), [(cell, 1), ("next", 2)])) == [
        ["x", "y"],
        [cell, "1"],
        ["next", "2"],
    ]


def test_head_alone():
    assert csv_bytes(("x", "y"), []) == b"x,y\n"
    assert parsed(csv_bytes(("x\ry",), iter([]))) == [["x\ry"]]


def test_what_is_no_text():
    assert csv_bytes(("x", "y"), [(None, 0.5), ("\udce9", -1)]) == b"x,y\n,0.5\n\\udce9,-1\n"


def test_returns_in_near_duplicates():
    from tfrecords_tools.build_steps.near_duplicates import (
        NearDuplicate,
        NearDuplicates,
        near_duplicates_csv,
    )

    found = NearDuplicates((NearDuplicate(0, 1, "none", 1.0),), cut_short=False)
    content = near_duplicates_csv(found, ["a\rb", "c"], {0: "train", 1: "test"})
    assert parsed(content)[1] == ["train", "a\rb", "test", "c", "none", "1.0000"]


def test_returns_in_an_image_folder(tmp_path):
    from PIL import Image

    from tfrecords_tools import build
    from tfrecords_tools.image_folder import write_image_folder

    for label in ("a", "b"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(2):
            image = Image.fromarray(noise(number + 5 * ord(label)))
            image.save(tmp_path / "images" / label / f"{number}\r.png")
    build(tmp_path / "images", tmp_path / "data", name="x", splits={"train": 1})
    rows = parsed(
        (write_image_folder(tmp_path / "data", tmp_path / "out") / "images.csv").read_bytes()
    )
    assert len(rows) == 5
    assert {row[3] for row in rows[1:]} == {f"{c}/{n}\r.png" for c in "ab" for n in range(2)}
