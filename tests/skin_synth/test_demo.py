"""The demo: the whole pipeline on few, small phantoms, a kill half-way, foreign directories."""

from __future__ import annotations

import json

import pytest

from skin_synth import demo, pipeline
from skin_synth.evaluation.features import classifier
from tests.logs import logged_to
from tfrecords_tools.errors import InputError

COUNTS = (24, 20, 16, 16, 16, 16, 16)
STAGES = ["phantoms", "build", "train", "evaluate", "balance", "export"]


class Killed(BaseException):
    """What stands for a kill: no `except Exception` catches it."""


@pytest.fixture(scope="module")
def news_of_two_starts(tiny_preset, tmp_path_factory):
    """A demo that was killed in its fourth stage and started again: directory, both logs."""
    out = tmp_path_factory.mktemp("demo") / "out"
    first, second = [], []

    def die(*args, **options):
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo, "DEMO_PRESET", tiny_preset.name)
        for name in ("FEWEST_STEPS", "MOST_STEPS"):
            patched.setattr(classifier, name, 10)
        with patched.context() as killed:
            killed.setattr(pipeline, "_evaluate", die)
            with logged_to(first.append), pytest.raises(Killed):
                run(out)
        with logged_to(second.append):
            run(out)
    return out, first, second


def run(out):
    demo.run_demo(out, images=64, minutes=5, counts=COUNTS)


def test_the_whole_pipeline(news_of_two_starts):
    from tfrecords_tools.records.reader import read_info

    out, _, news = news_of_two_starts
    assert (out / "report" / "report.html").read_text().startswith("<!DOCTYPE html")
    assert json.loads((out / "report" / "report.json").read_text())
    assert (out / "model" / "1" / "saved_model.pb").exists()
    before, after = (read_info(out / name).splits for name in ("data", "balanced"))
    # After 64 images a generator may give nothing of use: the report has a figure per class.
    report = json.loads((out / "balanced" / "balance_report.json").read_text())
    added = sum(counts["synthetic"] for counts in report["classes"].values())
    assert after["train"].num_records == before["train"].num_records + added
    short = [label for label, counts in report["classes"].items() if counts["short"]]
    assert len(short) == sum("short of the" in warning for warning in report["warnings"])
    assert after["test"].num_records == before["test"].num_records
    last = news[-1]
    assert last.endswith("without training: skin-synth pretrained")
    summary = json.loads((out / "report" / "report.json").read_text())["summary"]
    assert f"The report says: {summary[0]} {summary[1]}" in last
    for place in (out / "report" / "report.html", out / "balanced", out / "model" / "1"):
        assert str(place) in last
    assert str(out / "run" / "previews") in last


def test_each_stage_says_what_it_does_and_how_long_it_took(news_of_two_starts):
    out, *news = news_of_two_starts
    for lines, stages in zip(news, (STAGES[:4], STAGES), strict=True):
        assert [line.split()[1].rstrip(":") for line in lines if line[0] == "["] == stages
    done = [line for line in news[1] if line.strip().startswith(str(out))]
    assert len(done) == 3  # evaluate, balance, export


def test_finished_stages_are_not_worked_again(news_of_two_starts):
    out, _, second = news_of_two_starts
    assert ["done before" in line for line in second if line[0] == "["] == [True] * 3 + [False] * 3
    results = (path for path in out.rglob("*") if path.is_file() and path != out / pipeline.LOCK)
    stamps = {path: path.stat().st_mtime_ns for path in results}
    news = []
    with logged_to(news.append):
        run(out)
    assert all("done before" in line for line in news[:-1])
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_other_settings_are_refused(news_of_two_starts):
    out, _, _ = news_of_two_starts
    with pytest.raises(InputError, match="images = 64, got 65"):
        demo.run_demo(out, images=65, minutes=5, counts=COUNTS)


def test_counts_must_fit_the_classes(tmp_path):
    with pytest.raises(InputError, match=r"7 counts.*\(3, 4\)"):
        demo.run_demo(tmp_path / "out", counts=(3, 4))
