"""Drawings: the user's settings do not reach them, names are drawn as they are, none is fatal."""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib
import pytest

from skin_synth.drawing import SETTINGS, drawing, in_known_letters, left_out_if_it_fails
from skin_synth.evaluation.report.charts import Mark, dots

CODE = """
from skin_synth.cli import draw_without_user_settings
draw_without_user_settings()
import matplotlib
print(matplotlib.get_backend(), matplotlib.rcParams["text.usetex"])
"""


def test_a_drawing_that_fails_is_left_out_with_a_warning(caplog):
    @drawing("the picture")
    def fails():
        raise ValueError("no\nsuch   font")

    assert fails() is None
    assert caplog.messages == [
        "the picture could not be drawn and is left out (ValueError: no such font); nothing else "
        "is affected"
    ]
    with left_out_if_it_fails("another"):
        raise MemoryError
    assert "another could not be drawn" in caplog.text


def test_a_stop_is_no_failed_drawing():
    with pytest.raises(KeyboardInterrupt), left_out_if_it_fails("the picture"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [None, SETTINGS])
def test_the_settings_of_the_user_do_not_count_and_come_back(settings):
    seen = drawing("x", settings)(lambda: dict(matplotlib.rcParams))
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "black"}):
        found = seen()
        assert matplotlib.rcParams["text.usetex"]
    assert (found["text.usetex"], found["axes.facecolor"], found["text.parse_math"]) == (
        *(False, "white"),
        False,
    )


@pytest.mark.parametrize(
    "name", ["US$ to CA$", "$\\frac{$", "a_b^c", "x\\y", "Nævus", "光化性角化症", "{%}#&~"]
)
def test_every_name_is_drawn(name):
    assert dots([Mark(name, 0.5)], title="t", axis="a") is not None


def test_letters_without_a_font_are_written_as_numbers():
    found = drawing("x")(lambda: in_known_letters(["disc", "Nævus", "\U000f0001"]))()
    assert found == ["disc", "Nævus", "[U+F0001]"]


@pytest.mark.parametrize("text", ["text.usetex: True\n", "backend: nothing\n"])
def test_a_command_draws_with_agg_and_the_defaults(tmp_path, text):
    """A notebook sets the backend; a matplotlibrc may be in the way."""
    (tmp_path / "matplotlibrc").write_text(text)
    notebook = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={**os.environ, **notebook}, capture_output=True, text=True
    )
    assert (done.stdout.split(), done.stderr) == (["agg", "False"], "")
