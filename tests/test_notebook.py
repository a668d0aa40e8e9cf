"""The notebook runs from the first to the last cell: with stubs, and whole."""

from __future__ import annotations

import json
import logging
import types
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import skin_synth
from skin_synth import pipeline
from skin_synth.data.synthetic import GeneratesBatches
from skin_synth.evaluation.features import classifier
from tests.images import noise
from tfrecords_tools.options import BuildOptions

NOTEBOOK = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"
QUICK = {"counts=150": "counts=16", "MINUTES = 10 ": "MINUTES = 0.01 "}


class Generator(GeneratesBatches):
    """Replaces the generator of the package and the run: noise."""

    class_names, image_size = ("dark", "bright"), 32

    def generate(self, labels, seeds):
        return np.stack([noise(int(seed), 32, 32) for seed in seeds])


def sources() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def run_all(tmp_path, monkeypatch):
    """Runs all cells in an empty folder, with few images; returns what they have defined."""

    def run():
        namespace: dict[str, object] = {"__name__": "__main__"}
        for source in sources():
            for written, quick in QUICK.items():
                source = source.replace(written, quick)
            exec(compile(source, str(NOTEBOOK), "exec"), namespace)
        return types.SimpleNamespace(**namespace)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    loggers = [logging.getLogger(name) for name in ("skin_synth", "tfrecords_tools")]
    levels = [logger.level for logger in loggers]
    yield run
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_the_changes_that_make_it_quick_are_changes():
    whole = "\n".join(sources())
    assert all(whole.count(written) == 1 for written in QUICK)


def test_its_cells_fit_together(run_all, monkeypatch, capsys):
    given = []

    def run_pipeline(folder, out, build, options):
        given.extend((folder, build, options))
        previews = Path(out, "run", "previews")
        previews.mkdir(parents=True)
        Image.fromarray(noise(1, 20, 30)).save(previews / "images-000000000008.png")
        Path(out, "report").mkdir()
        Path(out, "report", "report.html").write_text('<p class="a">ä</p>', "utf-8")

    monkeypatch.setattr(pipeline, "run_pipeline", run_pipeline)
    monkeypatch.setattr(skin_synth, "load_pretrained", lambda name: Generator())
    monkeypatch.setattr(skin_synth, "load_run", lambda path: Generator())
    defined = run_all()
    folder, build, options = given
    assert len([*folder.glob("*.png")]) == 7 * 16
    assert isinstance(build, BuildOptions)
    assert (build.group_column, build.size, options.minutes) == ("group", 32, 0.01)
    page = defined.Page(Path("results", "report", "report.html"))._repr_html_()
    assert 'srcdoc="&lt;p class=&quot;a&quot;&gt;ä&lt;/p&gt;"' in page
    assert capsys.readouterr().out.endswith("('dark', 'bright')\n(2, 32, 32, 3)\n")


@pytest.mark.slow
def test_it_runs_as_it_is(run_all, monkeypatch, capsys):
    for name in ("FEWEST_STEPS", "MOST_STEPS"):
        monkeypatch.setattr(classifier, name, 10)
    run_all()
    assert Path("results", "balanced", "manifest.csv").exists()
    assert Path("results", "model", "1", "saved_model.pb").exists()
    assert "blotch" in capsys.readouterr().out


def test_it_is_committed_without_what_this_machine_printed():
    text = NOTEBOOK.read_text("utf-8")
    assert "/home/" not in text
    assert "/work/" not in text
