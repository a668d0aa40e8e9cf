"""Split columns with numbers, folds, blanks and other words: explained, or one clear error."""

from __future__ import annotations

import pytest

from tests.data_sets import LESION_COLUMNS, lesions, rejected, split_by
from tfrecords_tools import build
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources.split_values import SplitColumn, parse_split_values


def read(cells, **meanings) -> list[str]:
    column = SplitColumn("fold", meanings)
    found = [column.read(cell, f"t.csv, line {n}") for n, cell in enumerate(cells, 2)]
    column.check("t.csv")
    return found


def test_usual_words_need_no_explanation():
    assert read(["train", " Val", "TESTING"]) == ["train", "validation", "test"]


def test_numbers_are_the_same_with_and_without_a_point():
    assert read(["1", "1.0", " 2.", "0"], **{"1": "test", "2.0": "train", "0": "train"}) == [
        *("test", "test", "train", "train")
    ]


def test_blank_and_foreign_words():
    meanings = {"": "validation", "dev": "validation", "ignore": ""}
    cells = ["", " ", "Dev", "test", "ignore"]
    assert read(cells, **meanings) == ["validation", "validation", "validation", "test", ""]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["0", "1", "2", "3", "4", "4"],
            r"fold has values .*: 0 \(1 rows\), .*, 4 \(2 rows\): .* --split_values "
            "0=test,1=validation,2=train,3=train,4=train ",
        ),
        (["1"] * 7 + ["2"] * 2 + ["3"], "--split_values 1=train,2=validation,3=test "),
        (["train", "test", ""], r"^t\.csv, line 4: .* blank \(1 rows\): .* --split_values =train "),
        (["1.0", "2.0"], r"1 \(1 rows\), 2 \(1 rows\): .* --split_values 1=train,2=train "),
        ([str(n) for n in range(5000)], r"and 4988 more: "),
    ],
)
def test_values_without_a_meaning_are_all_named(cells, message):
    with pytest.raises(InputError, match=message):
        read(cells)


def test_meaning_without_a_value():
    with pytest.raises(InputError, match=r"explains 7, which .* fold does not have; it has 0"):
        read(["0"], **{"0": "train", "7": "test"})


def test_text_and_mapping():
    assert parse_split_values("0=test, 1.0=val,=train,x=y=") == {
        **{"0": "test", "1": "validation", "": "train", "x=y": ""},
    }
    assert parse_split_values({0: "test", "A,B": "train"}) == {"0": "test", "a,b": "train"}
    assert parse_split_values(None) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0", "needs VALUE=SPLIT,..., got '0'"),
        ("", "needs VALUE=SPLIT"),
        ("0=tset", "0 is 'tset', no split"),
        ("1=test,1.0=train", "1 is given twice"),
    ],
)
def test_meanings_that_cannot_be(given, message):
    with pytest.raises(InputError, match=message):
        parse_split_values(given)


def test_meanings_without_a_column():
    with pytest.raises(InputError, match="split_column: give both"):
        BuildOptions(name="x", labels="t.csv", split_values="0=test")


def test_build_with_folds_of_a_table(tmp_path):
    images, labels = lesions(tmp_path)
    rows = labels.read_text().splitlines()
    folds = [f"{row},{n // 3 % 5}.0" for n, row in enumerate(rows[1:])]
    labels.write_text("\n".join([f"{rows[0]},fold", *folds]))
    options = {"labels": labels, "size": 8, "split_column": "fold", **LESION_COLUMNS}
    with pytest.raises(InputError, match=r"metadata\.csv, line 2: the split column fold has"):
        build(images, tmp_path / "out", name="x", **options)
    values = "0=test,1=validation,2=train,3=train,4="
    build(images, tmp_path / "out", name="x", split_values=values, **options)
    found = split_by("image_id", tmp_path / "out")
    assert found["ISIC_000"] == "test"
    assert found["ISIC_003"] == "validation"
    assert found["ISIC_006"] == "train"
    assert set(rejected(tmp_path / "out").values()) == {"split_excluded"}
    assert len(rejected(tmp_path / "out")) == 12
