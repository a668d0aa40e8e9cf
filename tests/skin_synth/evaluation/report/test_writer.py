"""The report: plain JSON, one page that opens from disk and loads nothing, grids next to it."""

from __future__ import annotations

import base64
import dataclasses
import html
import html.parser
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from skin_synth.evaluation.report import writer as report
from skin_synth.evaluation.results import REPORT_SCHEMA_VERSION, Fault, ImageFolderInfo
from skin_synth.evaluation.verdict.remedies import remedy
from tests.changes import changed
from tests.studies import classifier_result, comparison, study_of


class Page(html.parser.HTMLParser):
    """Collects what a browser would load, and checks that elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.loaded, self.images, self.text = [], [], [], []
        self.feed(text)
        self.close()
        self.visible = " ".join("".join(self.text).split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loaded += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.images.append(attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_report_json_is_what_was_returned(written):
    found = json.loads((written.path / "report.json").read_text())
    assert found == written
    assert found["schema_version"] == REPORT_SCHEMA_VERSION
    assert next(iter(found)) == "schema_version"
    assert written.results.fidelity.whole.kernel == found["fidelity"]["whole"]["kernel"]
    assert found["seed"] == 4
    assert found["run"]["images_seen"] == 12_345
    assert found["features"]["name"] == "classifier"
    assert found["faithfulness"]["judge"]["sha256"] != found["features"]["sha256"]
    assert found["software"]["tensorflow-gan"] == "2.1.0"
    assert sum(found["images"]["test"]) == found["fidelity"]["whole"]["n"]
    assert found["fidelity"]["kernel"] == "(x.y / d + 1)^3"
    names = found["data"]["class_names"]
    assert list(found["fidelity"]["classes"]) == names
    assert list(found["faithfulness"]["real"]["classes"]) == names


def test_report_html_opens_from_disk(written):
    text = (written.path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert all(source.startswith("data:") for source in page.loaded)
    written_out = re.sub(r"data:image/[\w+]+;base64,[\w+/=]+", "", text)
    assert not re.search(r"https?:|//|url\(|@import|<script", written_out)
    assert all(image["alt"] for image in page.images)
    charts = [image for image in page.images if image["src"].startswith("data:image/svg+xml")]
    assert len(charts) == 4 + 6
    images = [image for image in page.images if image not in charts]
    assert len(images) == 2 * 7 + report.SHOWN_PAIRS + 2 * report.SHOWN_EXTREMES
    for image in images:
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.size[1] == 32
    visible, names = page.visible, written["data"]["class_names"]
    for sentence in [*written["summary"], *written["warnings"], *names]:
        assert sentence in visible
    assert visible.index(written["summary"][0]) < visible.index("What they look like")


def test_grids_lie_next_to_the_report(written):
    pictures = {f"{name}.png" for name in ("appearance", "nearest", "real", "realism", "synthetic")}
    names = {path.name for path in written.path.iterdir()}
    assert names == pictures | {"report.html", "report.json"}
    with Image.open(written.path / "synthetic.png") as grid:
        assert grid.size[1] == 7 * 66


def pictures_of(phantoms, **changes):
    n = len(phantoms.requested_labels)
    shown = report.Pictures(
        phantoms.test,
        phantoms.synthetic,
        phantoms.requested_labels,
        phantoms.train.images,
        nearest=np.zeros(n, np.int64),
        distance=np.arange(n, dtype=np.float32),
        held_out_distance=np.ones(5, np.float32),
        realism=np.linspace(2, 0.5, n),
        plots={},
    )
    return dataclasses.replace(shown, **changes)


def test_names_are_escaped(phantoms, written):
    names = ("<b>a</b>", *phantoms.test.class_names[1:])
    real = dataclasses.replace(phantoms.test, class_names=names)
    results = changed(written.results, "summary", use="<script>")
    text = report.render_html(results, pictures_of(phantoms, real=real))
    assert "<b>" not in text
    assert "<script>" not in text
    assert "&lt;b&gt;a" in text


def test_faults_come_first_with_their_p_values(phantoms, written):
    fault = Fault("missing_class", ("disc",), "Class disc is missing.", "Fisher's", 0.02, 3e-9)
    summary = ["One fault is proven.", fault.sentence, "And use."]
    results = changed(written.results, "verdict", faults=(fault,))
    results = changed(results, "summary", headline=summary[0], caveat="", use=summary[2])
    text = report.render_html(results, pictures_of(phantoms))
    visible = Page(text).visible
    assert 'class="verdict guilty"' in text
    assert 'class="verdict guilty"' not in (written.path / "report.html").read_text()
    places = [visible.index(part) for part in (*summary, "Before you rely", "What they look like")]
    assert places == sorted(places)
    assert "(p = 3e-09)" in visible
    assert "missing class" in visible
    assert visible.count("Class disc is missing.") == 1
    assert visible.index("(p = 3e-09)") < visible.index(remedy("missing_class"))
    folder = ImageFolderInfo([30], 1, {}, (), {}, "made elsewhere")
    of_program = changed(results, "", image_folder=folder)
    visible = Page(report.render_html(of_program, pictures_of(phantoms))).visible
    assert remedy("missing_class", of_program=True) in visible
    assert "--set" not in visible


def test_the_extremes_are_the_highest_and_the_lowest_realism(phantoms):
    realism = np.random.default_rng(0).permutation(len(phantoms.requested_labels)) / 7
    highest, lowest = pictures_of(phantoms, realism=realism).extremes()
    order = np.argsort(realism)
    np.testing.assert_array_equal(highest, order[::-1][: report.SHOWN_EXTREMES])
    np.testing.assert_array_equal(lowest, order[: report.SHOWN_EXTREMES])


def test_use_is_in_the_verdict_and_in_a_section(phantoms, written, studied):
    page = (written.path / "report.html").read_text()
    assert page.count("was not measured") == 1
    assert "Not measured." in page
    said = "Harm shown for a classifier: by the images."
    results = changed(written.results, "", utility=studied)
    results = changed(changed(results, "summary", use=said), "verdict", use="harm shown")
    text = report.render_html(results, pictures_of(phantoms))
    page = Page(text)
    visible = page.visible
    assert not page.open
    assert 'class="verdict guilty"' in text
    assert "not measured" not in visible.lower()
    assert visible.index(said) < visible.index("Do they help a classifier?")
    (result,) = studied.classifiers
    for entry in (*result.screened, *result.comparisons[0].arms):
        assert entry.arm in visible
    assert visible.count("(chosen use)") == visible.count("(chosen control)") == 1
    sentence = studied.verdict.sentence
    assert sentence[0].upper() + sentence[1:] in visible
    assert all(warning in visible for warning in (*studied.warnings, *result.warnings))
    assert all(each.sentence in visible for each in result.comparisons[0].found)
    assert text.count("data:image/svg+xml") == 4 + 6 + 2


def test_further_test_sets_and_classifiers_have_their_own_lines(phantoms, written):
    study = study_of(
        classifier_result(comparison(), comparison("harm shown", name="elsewhere")),
        classifier_result(comparison("gain shown"), name="small"),
    )
    results = changed(written.results, "", utility=study)
    visible = Page(report.render_html(results, pictures_of(phantoms))).visible
    assert "resnet, elsewhere: harm shown." in visible
    assert "small, test: gain shown." in visible
    assert "resnet, test:" not in visible


def test_which_images_are_shown(phantoms, written):
    page = Page((written.path / "report.html").read_text(encoding="utf-8"))
    _, _, visible = page.visible.partition("Appearance: skin tone and lesions")
    whole = written["appearance"]["whole"]
    drift = report.figure(whole["measures"]["brightness"]["drift"]["drift"])
    for words in ("skin tone (ITA, degrees)", "lesion redness (a*)", "very light", "dark", drift):
        assert words in visible
    assert sum(whole["tones"]["real"].values()) == pytest.approx(1)


def test_a_class_without_real_images_is_said_to_have_none(phantoms, written):
    real = phantoms.test.subset(phantoms.test.labels != 0)
    assert "no real image" in report.render_html(written.results, pictures_of(phantoms, real=real))


# In a browser. Chromium is no requirement of the project.

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def browse(page, profile, *arguments):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *arguments, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to open the report in")
def test_the_report_in_a_browser(written, tmp_path):
    """No error on the console, no request, and nothing is wider than the window."""
    probe = (
        "<script>addEventListener('load', () => { document.title = JSON.stringify({"
        "wide: document.documentElement.scrollWidth, window: innerWidth,"
        "broken: [...document.images].filter(image => !image.naturalWidth).length,"
        "loaded: performance.getEntriesByType('resource')"
        ".filter(entry => !entry.name.startsWith('data:')).length}) })</script>"
    )
    text = (written.path / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "report.html"
    page.write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    for width in (1280, 400):
        # Headless Chromium makes no window below 500 pixels; a frame does.
        frame = tmp_path / f"{width}.html"
        frame.write_text(
            f"<body style='margin:0'><iframe src='report.html' style='border:0' "
            f"width='{width}' height='2400'></iframe>"
        )
        shot = tmp_path / f"{width}.png"
        size, logging = f"--window-size={max(width, 500)},2400", "--enable-logging=stderr"
        profile = tmp_path / f"profile-{width}"
        _, log = browse(frame, profile, size, f"--screenshot={shot}", logging)
        assert "CONSOLE" not in log
        with Image.open(shot) as picture:
            assert picture.size[0] >= width
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 100
    for width in (1280, 500):
        dom, _ = browse(page, tmp_path / f"dom-{width}", f"--window-size={width},900", "--dump-dom")
        found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom)[1]))
        assert found["wide"] <= found["window"]
        assert found["broken"] == found["loaded"] == 0
