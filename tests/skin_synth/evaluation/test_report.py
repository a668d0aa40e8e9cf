"""The report: plain JSON, one page that opens from disk and loads nothing, grids beside it."""

from __future__ import annotations

import base64
import dataclasses
import html.parser
import io
import json
import re

import numpy as np
from PIL import Image

from skin_synth.evaluation import report


class Page(html.parser.HTMLParser):
    """Collects what a browser would load, and checks that elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.loaded, self.images, self.text = [], [], [], []
        self.feed(text)
        self.close()

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
    assert found["schema_version"] == report.SCHEMA_VERSION
    assert found["seed"] == 4
    assert found["run"]["images_seen"] == 12_345
    assert found["features"]["name"] == "classifier"
    assert found["faithfulness"]["judge"]["sha256"] != found["features"]["sha256"]
    assert found["software"]["tensorflow-gan"] == "2.1.0"
    assert sum(found["images"]["test"]) == found["fidelity"]["whole"]["n"]
    assert found["fidelity"]["kernel"] == "(x.y / d + 1)^3"
    names = found["data"]["class_names"]
    assert (
        list(found["fidelity"]["classes"])
        == names
        == list(found["faithfulness"]["real"]["classes"])
    )


def test_report_html_opens_from_disk(written):
    text = (written.path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert all(source.startswith("data:") for source in page.loaded)
    written_out = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    assert not re.search(r"https?:|//|url\(|@import|<script", written_out)
    assert len(page.images) == 2 * 7 + report.PAIRS
    for image in page.images:
        assert image["alt"]
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.size[1] == 32
    visible = " ".join("".join(page.text).split())
    for sentence in [*written["summary"], *written["warnings"]]:
        assert sentence in visible
    for label in written["data"]["class_names"]:
        assert label in visible
    assert visible.index(written["summary"][0]) < visible.index("Where this comes from")


def test_grids_lie_beside_the_report(written):
    assert sorted(path.name for path in written.path.iterdir()) == [
        "nearest.png",
        "real.png",
        "report.html",
        "report.json",
        "synthetic.png",
    ]
    with Image.open(written.path / "synthetic.png") as grid:
        assert grid.size[1] == 7 * 66


def test_names_are_escaped(phantoms, written):
    names = ("<b>a</b>", *phantoms.test.class_names[1:])
    real = dataclasses.replace(phantoms.test, class_names=names)
    pictures = report.Pictures(
        real,
        phantoms.synthetic,
        phantoms.asked,
        phantoms.train.images,
        np.zeros(len(phantoms.asked), np.int64),
        np.zeros(len(phantoms.asked), np.float32),
    )
    text = report.render_html({**written, "summary": ["<script>"]}, pictures)
    assert "<b>" not in text
    assert "<script>" not in text
    assert "&lt;b&gt;a" in text


def test_a_class_without_real_images_is_said_to_have_none(phantoms, written):
    keep = phantoms.test.labels != 0
    real = dataclasses.replace(
        phantoms.test, images=phantoms.test.images[keep], labels=phantoms.test.labels[keep]
    )
    far = np.arange(len(phantoms.asked), dtype=np.float32)
    nearest = np.zeros(len(phantoms.asked), np.int64)
    pictures = report.Pictures(
        real, phantoms.synthetic, phantoms.asked, phantoms.train.images, nearest, far
    )
    assert "no real image" in report.render_html(written, pictures)
