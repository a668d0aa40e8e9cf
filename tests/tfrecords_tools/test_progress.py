"""Progress: plain lines in a log, a bar on a terminal."""

from __future__ import annotations

import re
import sys

import pytest

from tfrecords_tools import progress
from tfrecords_tools.progress import Progress, estimated_duration, measured_duration, track


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_passes_items_on_in_order(capsys):
    assert list(track(iter("abc"), total=3, unit="letters", description="read")) == list("abc")
    assert re.fullmatch(r"read: 3 of 3 letters, \d+/s, 0:00 left\n", capsys.readouterr().err)


def test_rate_and_time_left(clock, capsys):
    with Progress(total=10_000, unit="images", description="read") as bar:
        clock.now += 40
        bar.update(1000)
        assert capsys.readouterr().err == "read: 1,000 of 10,000 images, 25/s, 6:00 left\n"
        clock.now += 29
        bar.update()
        assert capsys.readouterr().err == ""
        clock.now += 31
        bar.update(8998)
        clock.now += 0.5
        bar.update()
    assert capsys.readouterr().err.splitlines() == [
        "read: 9,999 of 10,000 images, 100/s, 0:00 left",
        "read: 10,000 of 10,000 images, 100/s, 0:00 left",
    ]


def test_a_slow_pace_is_given_per_minute_and_the_last_line_once(clock, capsys):
    with Progress(total=2, unit="stages", description="evaluate") as bar:
        for _ in range(2):
            clock.now += 40
            bar.update()
    assert capsys.readouterr().err.splitlines() == [
        "evaluate: 1 of 2 stages, 2/min, 0:40 left",
        "evaluate: 2 of 2 stages, 2/min, 0:00 left",
    ]


def test_a_limit_of_time_and_a_note(clock, capsys):
    with Progress(total=10_000, unit="images", description="train", most_seconds=90) as bar:
        clock.now += 40
        bar.update(1000)
        bar.note = "KID 0.100"
        clock.now += 40
        bar.update(1000)
    assert capsys.readouterr().err.splitlines() == [
        "train: 1,000 of 10,000 images, 25/s, 0:50 left",
        "train: 2,000 of 10,000 images, 25/s, 0:10 left, KID 0.100",
    ]


def test_units_of_an_earlier_start_set_no_pace(clock, capsys):
    with Progress(total=50, unit="classifiers", description="study") as bar:
        for _ in range(18):
            bar.update(reused=True)
        clock.now += 40
        bar.update(reused=True)
        for _ in range(2):
            clock.now += 100
            bar.update()
    assert capsys.readouterr().err.splitlines() == [
        "study: 19 of 50 classifiers",
        "study: 20 of 50 classifiers, 26/h, 1:10:00 left",
        "study: 21 of 50 classifiers, 30/h, 58:00 left",
    ]


def test_nothing_done_says_nothing(capsys):
    with Progress(total=5, unit="images", description="read"):
        pass
    assert capsys.readouterr().err == ""


def test_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track([1, 2], total=2, unit="images", description="read")) == [1, 2]
    output = capsys.readouterr().err
    assert "read: 100%" in output
    assert "2/2" in output


def test_a_bar_counts_units_of_an_earlier_start_without_a_pace(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(total=4, unit="stages", description="study") as bar:
        bar.update(3, reused=True)
        assert "3/4" in capsys.readouterr().err
        assert bar._bar.format_dict["initial"] == 3
        bar.update()
    assert "4/4" in capsys.readouterr().err


def test_a_failing_loop_says_how_far_it_came(capsys):
    def two_then_none():
        yield from (1, 2)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        list(track(two_then_none(), total=5, unit="images", description="read"))
    assert "2 of 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "less than 1 min"), (59, "less than 1 min"), (89 * 60, "89 min"), (5400, "1.5 h")],
)
def test_an_estimated_time_is_in_minutes_or_hours(seconds, text):
    assert estimated_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (45, "45 s"), (5400, "90 min 00 s")],
)
def test_a_measured_time_is_to_the_second(seconds, text):
    assert measured_duration(seconds) == text
