"""A blind study: balanced, shuffled, and nothing that readers get contains the answer."""

from __future__ import annotations

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.report import reader_study
from skin_synth.evaluation.report.reader_study import (
    choose_items,
    render_study,
    write_reader_study,
)
from tests.origins import make_origin
from tests.skin_synth.evaluation.conftest import check_overwriting
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import ORIGIN_REAL, ORIGIN_SYNTHETIC


@pytest.fixture(scope="module")
def study(make_run, large_phantom_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("readers") / "out"
    return write_reader_study(make_run(), large_phantom_data, out, per_class=4, seed=5), out


def test_real_and_synthetic_images_of_each_class(study, large_phantom_data):
    items, _ = study
    test = load_split(large_phantom_data, "test")
    assert [item.number for item in items] == list(range(1, len(items) + 1))
    for name in test.class_names:
        origins = [item.origin for item in items if item.class_name == name]
        assert origins.count("real") == origins.count("synthetic") == 4
    real = {test.image_ids.index(i.source): i.image for i in items if i.origin == "real"}
    assert len({test.groups[row] for row in real}) == len(real) == len(items) // 2
    np.testing.assert_array_equal(list(real.values()), test.images[list(real)])


def test_classes_with_fewer_images_than_requested_are_named(
    make_run, large_phantom_data, tmp_path, caplog
):
    test = load_split(large_phantom_data, "test")
    groups = {name: set() for name in test.class_names}
    for label, group in zip(test.labels, test.groups, strict=True):
        groups[test.class_names[label]].add(group)
    smallest = min(groups, key=lambda name: len(groups[name]))
    count = len(groups[smallest])
    with caplog.at_level("INFO", "skin_synth"):
        write_reader_study(make_run(), large_phantom_data, tmp_path / "few", per_class=count)
        assert "test lesion" not in caplog.text
        write_reader_study(make_run(), large_phantom_data, tmp_path / "more", per_class=count + 1)
    told = f"{smallest} has only {count} test lesions, so it has {count} real and {count} synthetic"
    assert f"{told} images" in caplog.text
    assert f"; --per_class asks for {count + 1} of each" in caplog.text


def items_of(**real):
    """As many real images, and as many synthetic ones, of each class."""
    return [
        reader_study.Item(0, name, None, origin, "")
        for name, count in real.items()
        for origin in (ORIGIN_REAL, ORIGIN_SYNTHETIC)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("real", "told"),
    [
        (
            {"nv": 8, "df": 3, "vasc": 5},
            "df has only 3 test lesions, so it has 3 real and 3 synthetic images; vasc has only 5 "
            "test lesions, so it has 5 real and 5 synthetic images; --per_class asks for 8 of each",
        ),
        (
            {"nv": 8, "df": 1, "vasc": 0},
            "df has only 1 test lesion, so it has 1 real and 1 synthetic image; vasc has no test "
            "lesion, so it is not in the study; --per_class asks for 8 of each",
        ),
    ],
)
def test_the_images_of_small_classes_are_told_in_plain_words(real, told, caplog):
    with caplog.at_level("INFO", "skin_synth"):
        reader_study._tell_fewer(items_of(**real), ("nv", "df", "vasc"), 8)
    assert caplog.messages == [told]


def test_the_order_is_shuffled_and_follows_the_seed(study, make_run, large_phantom_data):
    items, _ = study
    test = load_split(large_phantom_data, "test")
    origins = [item.origin for item in items]
    assert origins[:4] != ["real"] * 4 or origins[8:12] != ["real"] * 4
    again = choose_items(make_run(), test, per_class=4, seed=5)
    assert [item.source for item in again] == [item.source for item in items]
    other = choose_items(make_run(), test, per_class=4, seed=6)
    assert [item.origin for item in other] != origins


def test_the_key_opens_the_sheet_and_the_form_fits_it(study):
    items, out = study
    names = ["answers.csv", "key.csv", "sheet.html", "sheet.png", "study.html"]
    assert sorted(path.name for path in out.iterdir()) == names

    def table(name):
        return list(csv.DictReader((out / name).read_text(encoding="utf-8").splitlines()))

    key, form = table("key.csv"), table("answers.csv")
    assert [row["origin"] for row in key] == [item.origin for item in items]
    assert [row["source"] for row in key] == [item.source for item in items]
    for column in ("number", "class"):
        assert [row[column] for row in form] == [row[column] for row in key]
    assert {row["real_or_synthetic"] for row in form} == {""}
    with Image.open(out / "sheet.png") as picture:
        assert picture.size[1] == 7 * 66


def test_what_readers_get_does_not_contain_the_answers(study):
    items, out = study
    page, study_page = ((out / name).read_text("utf-8") for name in ("sheet.html", "study.html"))
    for text in (page, study_page, (out / "answers.csv").read_text()):
        for item in items:
            assert item.source not in text
    sources = re.findall(r'src="(.*?)"', page)
    assert len(sources) == len(items)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?:|url\(|<script", re.sub(r'src=".*?"', "", page))


def test_the_page_holds_all_images_and_loads_nothing(study):
    items, out = study
    page = (out / "study.html").read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="study">(.*?)</script>', page)[1])
    assert [each["number"] for each in held["items"]] == [item.number for item in items]
    assert held["items"][0].keys() == {"number", "image"}
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|src=|fetch|import ", re.sub(r"base64,[^\"]*", "", page))


def test_names_that_are_html_stay_text(study):
    items, _ = study
    evil = '</script><b>"x'
    page = render_study([dataclasses.replace(item, class_name=evil) for item in items])
    assert evil not in page
    held = json.loads(re.search(r'id="study">(.*?)</script>', page)[1])
    assert held["classes"] == [evil]


def test_a_class_with_few_real_images_has_as_few_synthetic_ones(make_run, large_phantom_data):
    test = load_split(large_phantom_data, "test")
    few = np.flatnonzero((test.labels != 0) | (np.cumsum(test.labels == 0) <= 1))
    few = few[test.labels[few] != 1]
    items = choose_items(make_run(), test.subset(few), per_class=3, seed=0)
    counts = [sum(item.class_name == name for item in items) for name in test.class_names]
    assert counts == [2, 0] + [6] * (len(counts) - 2)
    assert sorted(item.origin for item in items[:2]) == ["real", "synthetic"]


def test_wrong_options_write_nothing(make_run, large_phantom_data, tmp_path):
    with pytest.raises(InputError, match="per_class must be 1 or more, got 0"):
        write_reader_study(make_run(), large_phantom_data, tmp_path / "out", per_class=0)
    run = dataclasses.replace(make_run(), origin=make_origin())
    with pytest.raises(InputError, match="give the data set that it was trained on"):
        write_reader_study(run, large_phantom_data, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_overwriting_spares_other_folders(make_run, large_phantom_data, tmp_path):
    def write(out, **options):
        write_reader_study(make_run(), large_phantom_data, out, **options)

    check_overwriting(write, large_phantom_data, tmp_path, r"key\.csv")
