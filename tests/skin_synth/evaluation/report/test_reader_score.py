"""The result of a reader study: by clicks on the page, then by the command that scores them."""

from __future__ import annotations

import csv
import json
import re
import time

import numpy as np
import pytest

from skin_synth import cli
from skin_synth.evaluation.report.reader_score import write_reader_score
from skin_synth.evaluation.report.reader_study import (
    ANSWERS,
    KEY,
    PAGE,
    Item,
    render_study,
    study_id,
)
from tests.browser import browser
from tfrecords_tools.csv_writing import spreadsheet_csv
from tfrecords_tools.errors import InputError

NAMES = ("mel", "=nv")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of eight flat images: real ones are dark."""
    folder = tmp_path_factory.mktemp("study")
    items = []
    for number in range(1, 9):
        origin = "real" if number % 2 else "synthetic"
        image = np.full((8, 8, 3), 20 * number, np.uint8)
        items.append(Item(number, NAMES[number > 4], image, origin, f"source {number}"))
    (folder / PAGE).write_text(render_study(items), encoding="utf-8")
    rows = [[i.number, i.class_name, i.origin, i.source, study_id(items)] for i in items]
    columns = ("number", "class", "origin", "source", "study")
    (folder / KEY).write_bytes(spreadsheet_csv(columns, rows))
    return folder, items


def shown(page, items):
    """The item whose image the page shows."""
    source = page.value("document.querySelector('#image').src")
    held = json.loads(page.value("document.querySelector('#study').textContent"))["items"]
    number = next(each["number"] for each in held if each["image"] == source)
    return items[number - 1]


def answer(page, item, *, by_key, origin=None):
    origin = origin or item.origin
    label = NAMES.index(item.class_name)
    if by_key:
        for key in (origin[0], "4", "ab"[label]):
            page.press(key)
        page.press("Enter")
    else:
        page.click(f"input[name=origin][value={origin}]")
        page.click("input[name=certainty][value='2']")
        page.click(f"input[name=judged][value='{item.class_name}']")
        page.click("#next")


def begin(page, name):
    page.click("#name")
    page.value("document.querySelector('#name').value = ''")
    page.type(name)
    page.click("#enter button")
    page.until("!document.querySelector('#work').hidden")


def downloaded(folder, name):
    end = time.monotonic() + 10
    while not (folder / name).is_file():
        assert time.monotonic() < end
        time.sleep(0.02)
    return folder / name


def test_a_reader_answers_by_clicks_and_keys_pauses_and_saves(study, tmp_path, capsys):
    folder, items = study
    with browser(tmp_path) as page:
        page.open(folder / PAGE)
        begin(page, "Ada")
        order = []
        assert page.value("document.querySelector('#next').disabled")
        page.press("Enter")  # does nothing yet
        for by_key in (True, False, True):
            order.append(shown(page, items).number)
            answer(page, shown(page, items), by_key=by_key)
        page.click("#remarks")
        page.type("=soft, edges")
        # The page is closed in the middle of the fourth image.
        page.press("r")  # is text now
        page.open(folder / PAGE)
        assert page.value("document.querySelector('#name').value") == "Ada"
        assert "3 of 8" in page.value("document.querySelector('#known').textContent")
        page.click("#enter button")
        assert page.value("document.querySelector('#place').textContent") == "Image 4 of 8"
        assert page.value("document.querySelector('#remarks').value") == "=soft, edgesr"
        fourth = shown(page, items)
        wrong = "synthetic" if fourth.origin == "real" else "real"
        answer(page, fourth, by_key=True, origin=wrong)
        page.click("#back")
        page.press("Enter")
        page.press("ArrowLeft")
        page.press("ArrowLeft")
        assert shown(page, items).number == order[2]
        page.press("Enter")
        page.press("Enter")
        while page.value("document.querySelector('#end').hidden"):
            order.append(shown(page, items).number)
            answer(page, shown(page, items), by_key=False)
        page.click("#save-all")
        saved = downloaded(tmp_path, "answers-Ada.csv")
        page.click("#other")
        begin(page, "Eva")
        assert page.value("document.querySelector('#progress').value") == 0
        page.press("s")
        page.click("#save")
        other = downloaded(tmp_path, "answers-Eva.csv")
    assert sorted([*order, fourth.number]) == list(range(1, 9))
    rows = list(csv.DictReader(saved.read_text("utf-8").splitlines()))
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 9)]
    by_position = sorted(rows, key=lambda row: int(row["position"]))
    assert by_position[3]["remarks"] == "'=soft, edgesr"
    assert [row["certainty_1_to_5"] for row in by_position] == list("42442222")
    assert len(other.read_text("utf-8").splitlines()) == 2

    assert cli.main_with(["reader-score", str(saved), str(folder / KEY)]) == 0
    assert "Ada: accuracy 88% [53%, 98%]" in capsys.readouterr().out
    found = json.loads((folder / "score" / "report.json").read_text())
    [reader] = found["readers"]
    assert reader["all"]["accuracy"]["estimate"] == 7 / 8
    assert reader["all"]["class_right_synthetic"]["estimate"] == 1
    page = (folder / "score" / "report.html").read_text("utf-8")
    assert not re.search(r"https?:|<script", re.sub(r'src=".*?"', "", page))


def answers_of(folder, items, name, wrong=(), certainty=3):
    other = {"real": "synthetic", "synthetic": "real"}
    rows = [
        [i.number, i.class_name, other[i.origin] if i.number in wrong else i.origin, certainty, ""]
        for i in items
    ]
    columns = ("number", "class", "real_or_synthetic", "certainty_1_to_5", "remarks")
    path = folder / f"{name}.csv"
    path.write_bytes(spreadsheet_csv(columns, rows))
    return path


def test_several_readers_and_their_agreement(study, tmp_path, capsys):
    folder, items = study
    files = [answers_of(tmp_path, items, "Ada"), answers_of(tmp_path, items, "Eva", wrong=(1, 2))]
    words = ["reader-score", *map(str, files), str(folder / KEY), "--out", str(tmp_path / "out")]
    assert cli.main_with(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("It is not shown that the readers can distinguish synthetic from real")
    assert "agreement between readers (kappa): 0.50" in out
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for text in ("Ada and Eva", "=nv", "d&#39;", "not asked for the class"):
        assert text in page.replace("'", "&#39;")
    assert cli.main_with(words) == 1
    assert "exists already" in capsys.readouterr().err
    assert cli.main_with([*words, "--overwrite"]) == 0


def test_the_first_sentence_follows_the_figures(study, tmp_path):
    folder, items = study

    def first_line(wrong):
        path = answers_of(tmp_path, items, "Ada", wrong=wrong)
        write_reader_score([path], folder / KEY, tmp_path / "out", overwrite=True)
        return re.search(r"<h2>(.*?)</h2>", (tmp_path / "out" / "report.html").read_text())[1]

    assert first_line([]) == "Ada can distinguish synthetic from real images"
    assert first_line([1, 2, 5, 6]).startswith("It is not shown that Ada can distinguish")
    assert first_line(range(1, 9)).startswith("Ada took synthetic for real images more often")


def test_a_key_before_the_answers_and_a_result_over_the_inputs(study, tmp_path):
    folder, items = study
    path = answers_of(tmp_path, items, "Ada")
    with pytest.raises(InputError, match=r"Give the answers of readers first, and key\.csv last"):
        write_reader_score([folder / KEY], path, tmp_path / "out")
    with pytest.raises(InputError, match="which would be replaced"):
        write_reader_score([path], folder / KEY, tmp_path, overwrite=True)
    assert path.is_file()
    assert ANSWERS not in {file.name for file in folder.iterdir()}
