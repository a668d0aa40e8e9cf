"""Key and answers: what people and spreadsheets write is read, everything else is refused."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.readers.form import PAGE_COLUMNS, read_key, read_reading, read_readings
from tfrecords_tools.errors import InputError

KEY = """number,class,origin,source,study
1,mel,real,ISIC_1,abc
2,mel,synthetic,77,abc
3,'=nv,real,ISIC_2,abc
4,'=nv,synthetic,78,abc
"""
PAGE = f"""{",".join(PAGE_COLUMNS)}
abc,Ada,1,4,real,mel,5,3.5,
abc,Ada,2,1,real,'=nv,1,2.0,"dots, many"
abc,Ada,4,2,synthetic,,3,9.1,
"""
PAPER = """number,class,real_or_synthetic,certainty_1_to_5,remarks
1,mel,R,4.0,
2,mel,Synthetic,,
3,'=nv,,,
4,'=nv,s,2,
"""


@pytest.fixture
def key(tmp_path):
    return read_key(written(tmp_path / "key.csv", KEY))


def written(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_key(key):
    assert key.study == "abc"
    assert key.class_names == ("mel", "=nv")
    assert [(item.origin, item.source) for item in key.items.values()][1] == ("synthetic", "77")


def test_answers_of_the_page(key, tmp_path):
    found = read_reading(written(tmp_path / "answers.csv", PAGE), key)
    assert found.reader == "Ada"
    first, second, third = found.answers
    assert (first.right, second.right, third.right) == (True, False, True)
    assert (first.item.number, first.certainty, first.seconds, first.position) == (1, 5, 3.5, 4)
    assert [answer.judged_class for answer in found.answers] == ["mel", "=nv", ""]


@pytest.mark.parametrize(
    "text", [PAPER, PAPER.replace(",", ";"), "\ufeff" + PAPER.replace("\n", "\r\n")]
)
def test_a_form_on_paper_as_people_type_it(key, tmp_path, text):
    found = read_reading(written(tmp_path / "Grace.csv", text), key)
    assert found.reader == "Grace"
    given = [(answer.item.number, answer.origin, answer.certainty) for answer in found.answers]
    assert given == [(1, "real", 4), (2, "synthetic", None), (4, "synthetic", 2)]
    assert {answer.judged_class for answer in found.answers} == {""}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("1,4,real", "1,4,maybe", "line 2: real_or_synthetic must be real or synthetic"),
        ("mel,5", "mel,6", "certainty_1_to_5 must be a whole number from 1 to 5"),
        ("mel,5", "mel,nan", "certainty_1_to_5 must be a whole number from 1 to 5"),
        ("mel,5", "mole,5", "judged_class must be of mel, =nv; 'mole'"),
        ("Ada,1,", "Ada,9,", "line 2 is of another study"),
        ("abc,Ada,2", "abd,Ada,2", "line 3 is of another study"),
        ("Ada,1,", "Ada,2,", "line 3: number 2 is there twice"),
        ("Ada,1,", "Ada,one,", "number must be the number of an image, got 'one'"),
        ("Ada,1,", "Eva,1,", "several readers"),
        (",3.5,", ",soon,", "seconds must be a number"),
    ],
)
def test_what_is_no_answer_is_refused(key, tmp_path, old, new, told):
    assert old in PAGE
    with pytest.raises(InputError, match=told):
        read_reading(written(tmp_path / "answers.csv", PAGE.replace(old, new)), key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no column 'number'"),
        (KEY, "has no column 'real_or_synthetic'.*answers of readers first"),
        (PAPER.replace("R,", ",").replace("Synthetic", "").replace("s,2", ",2"), "no answer"),
        (PAGE.replace("Ada", "Zoë").encode("latin-1"), "UTF-8"),
    ],
)
def test_what_is_no_form_is_refused(key, tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        read_reading(written(tmp_path / "answers.csv", text), key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PAPER, "has no column 'origin'"),
        (KEY.replace("synthetic", "real"), "needs real and synthetic images"),
        (KEY.replace("4,'=nv", "3,'=nv"), "number 3 is there twice"),
        (KEY.replace("78,abc", "78,abd"), "several studies"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        read_key(written(tmp_path / "key.csv", text))


def test_missing_files_and_one_reader_twice(key, tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv is no file"):
        read_reading(tmp_path / "gone.csv", key)
    paths = [written(tmp_path / name, PAGE) for name in ("a.csv", "b.csv")]
    with pytest.raises(InputError, match=r"a\.csv and .*b\.csv are both of reader 'Ada'"):
        read_readings(paths, key)
