"""Rules of the architecture that neither ruff nor import-linter can check."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest

from tests.architecture.imports import PACKAGES, circle_of, rooms_of

ROOT = Path(__file__).parents[2]
LINES_A_FILE = 450


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*PACKAGES)


@pytest.mark.parametrize("depth", [2, 3, 9])
def test_imports_have_no_circle(graph, depth):
    # The __init__ of a package imports the public names on first use.
    imports = {room: found for room, found in rooms_of(graph, depth).items() if "." in room}
    assert circle_of(imports) == []


def test_a_circle_would_be_found():
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_skin_synth_writes_records_only_through_tfrecords_tools():
    for path in (ROOT / "skin_synth").rglob("*.py"):
        if path.name == "warmup.py":
            continue  # the warm-up file of a SavedModel is a TFRecord, but no data set
        assert "TFRecordWriter" not in path.read_text(), path


def test_a_file_is_short_and_has_a_name_that_says_what_it_holds():
    for package in (*PACKAGES, "benchmarks", "examples"):
        for path in (ROOT / package).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= LINES_A_FILE, path
            assert path.stem not in {"utils", "util", "helpers", "common", "misc"}, path
